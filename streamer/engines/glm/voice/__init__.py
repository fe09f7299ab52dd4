"""A prompt's sound becomes what the model clones a voice from: speech tokens, a speaker vector, a mel.

sound.py             bytes of a file → samples, or why not; nothing is decoded before its header was judged
mp3.py               how long an MP3 is, which its decoder only guesses
resampling.py        samples at another rate
filterbank.py        the triangles that both mels below share
features.py          16 kHz samples → the log-mel that the speech tokenizer sees
tokenizer_config.py  what its config.json says, and what of it is supported
transformer.py       its layers
tokenizer.py         16 kHz samples → speech tokens, 25 a second
speaker.py           16 kHz samples → speaker vector
mel.py               24 or 32 kHz samples → the mel that the flow continues
encoder.py           all of it in order; encoded once
cache.py             encoded voices, on disk and in memory
"""
