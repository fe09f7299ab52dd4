"""What lower precision of the flow and the vocoder costs, against what float32 differs from itself."""
