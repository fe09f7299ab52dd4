"""A text becomes segments of token ids.

    front        the whole way: normalize, split, normalize each segment, phonemes where asked for, tokens
    normalizer   what a person would say: common steps around a Chinese and an English path
    chinese, english          the two paths
    grammar      WeTextProcessing's rules, applied piece by piece; grammars keeps their automata in a cache folder
    splitting    segments of a length that the model speaks well
    phonemes     Chinese characters as pronunciation, a dictionary's first
    dictionary   replacements, one object a line
    tables       the data that ships in configs/
    tokenizer    tokens, without running what lies in the checkpoint's folder
    segment      what comes of it
    orders       what the engine asks of all this; desk takes orders by turns
    process      the desk in a process of its own, child; frames is what those two say to each other

No torch here. Equal to the public reference wherever tests/golden/text.json has a case; where it is silent, and this
goes another way, the code says so.
"""
