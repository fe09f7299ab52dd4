"""Prompt, text and prompt speech → speech tokens: a Llama, decoded in fixed shapes."""
