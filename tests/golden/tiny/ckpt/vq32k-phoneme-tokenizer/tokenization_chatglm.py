# Byte-level BPE (tiktoken rank file) behind the transformers slow-tokenizer interface.
import base64
import tiktoken
from transformers import PreTrainedTokenizer

PAT = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"


class ChatGLM4Tokenizer(PreTrainedTokenizer):
    vocab_files_names = {"vocab_file": "tokenizer.model"}
    model_input_names = ["input_ids", "attention_mask", "position_ids"]

    def __init__(self, vocab_file, padding_side="left", clean_up_tokenization_spaces=False, **kwargs):
        self.vocab_file = vocab_file
        with open(vocab_file) as f:
            pairs = [line.split() for line in f if line.strip()]
        self.ranks = {base64.b64decode(t): int(r) for t, r in pairs}
        self.names = {r: t for t, r in self.ranks.items()}
        self.bpe = tiktoken.Encoding(name="glm", pat_str=PAT, mergeable_ranks=self.ranks, special_tokens={})
        super().__init__(padding_side=padding_side, clean_up_tokenization_spaces=clean_up_tokenization_spaces, **kwargs)

    @property
    def vocab_size(self):
        return len(self.ranks)

    def get_vocab(self):
        v = {("b:" + t.hex()): r for t, r in self.ranks.items()}
        v.update(self.added_tokens_encoder)
        return v

    def _tokenize(self, text, **kwargs):
        return ["b:" + self.names[i].hex() for i in self.bpe.encode_ordinary(text)]

    def _convert_token_to_id(self, token):
        return self.ranks[bytes.fromhex(token[2:])] if token.startswith("b:") else self.added_tokens_encoder[token]

    def _convert_id_to_token(self, index):
        return "b:" + self.names[index].hex()

    def convert_tokens_to_string(self, tokens):
        return b"".join(bytes.fromhex(t[2:]) if t.startswith("b:") else t.encode() for t in tokens).decode(
            "utf-8", errors="replace"
        )

    def save_vocabulary(self, save_directory, filename_prefix=None):
        import os, shutil

        to = os.path.join(save_directory, "tokenizer.model")
        shutil.copyfile(self.vocab_file, to)
        return (to,)

    def build_inputs_with_special_tokens(self, token_ids_0, token_ids_1=None):
        return list(token_ids_0) + list(token_ids_1 or [])
