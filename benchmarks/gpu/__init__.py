"""All that is to be known of the engine glm on a GPU, by one command."""
