"""Writes a Megatron .bin/.idx pair of random tokens, independently of the program's own writer."""

import random
import struct


def write(prefix, documents=40, vocabulary=127, shortest=20, longest=200, seed=1):
    """uint16 tokens below `vocabulary`; returns the documents."""
    generator = random.Random(seed)
    texts = [[generator.randrange(vocabulary) for _ in range(generator.randint(shortest, longest))]
             for _ in range(documents)]
    lengths = [len(text) for text in texts]
    offsets = [2 * sum(lengths[:i]) for i in range(len(lengths))]
    with open(f"{prefix}.bin", "wb") as file:
        for text in texts:
            file.write(struct.pack(f"<{len(text)}H", *text))
    with open(f"{prefix}.idx", "wb") as file:
        file.write(b"MMIDIDX\x00\x00")
        file.write(struct.pack("<QBQQ", 1, 8, len(texts), len(texts) + 1))
        file.write(struct.pack(f"<{len(texts)}i", *lengths))
        file.write(struct.pack(f"<{len(texts)}q", *offsets))
        file.write(struct.pack(f"<{len(texts) + 1}q", *range(len(texts) + 1)))
    return texts
