"""What a user runs: the command line. Commands hold no algorithm; each is one file and one typed dataclass."""
