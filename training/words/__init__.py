"""The words of motion: actions, other words, instructions, embeddings, language models asked."""
