"""The engine glm against the way in which GLM-TTS is served elsewhere: one utterance after the other."""
