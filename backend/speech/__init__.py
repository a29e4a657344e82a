"""What drives a performance by voice: sound in, features, rhythm and words. Stands on numpy, never on torch."""
