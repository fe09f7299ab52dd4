"""What reads results: committed ones only."""
