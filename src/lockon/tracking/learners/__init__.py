"""What the target model remembers, and when it learns."""
