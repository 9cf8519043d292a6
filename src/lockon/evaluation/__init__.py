"""Measures of tracking quality: pure functions of annotation and prediction, whatever made the prediction."""
