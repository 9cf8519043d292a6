"""What is learned: backbones, box regression, target-model predictors."""
