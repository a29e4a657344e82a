"""What a pack or a stage can do, measured."""
