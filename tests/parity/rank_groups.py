"""Writes the rank groups of Megatron-LM's RankGenerator, the oracle of tests/parallel/rank_order_test.cpp.

Usage: python3 rank_groups.py PATH/TO/megatron/core/parallel_state.py > tests/parallel/rank_groups.txt
Needs no package: only the two definitions are taken from the file.
"""

import ast
import sys
from typing import List, Optional, Tuple  # noqa: F401 (names used by the definitions taken)

KINDS_DENSE = ["tp", "cp", "dp", "pp", "dp-cp", "tp-cp", "tp-dp", "tp-dp-cp", "tp-pp"]
KINDS_EXPERT = {"ep": "ep", "etp": "tp", "etp-ep": "tp-ep", "etp-ep-pp": "tp-ep-pp", "edp": "dp"}

# world, tp, cp, pp, ep, etp
SIZES = [
    (1, 1, 1, 1, 1, 1), (2, 2, 1, 1, 1, 2), (4, 2, 1, 1, 2, 1), (8, 2, 2, 2, 1, 2), (8, 1, 2, 2, 2, 1),
    (8, 2, 1, 2, 2, 1), (8, 4, 1, 2, 1, 4), (12, 2, 1, 3, 2, 1), (16, 2, 2, 2, 2, 2), (16, 2, 2, 2, 4, 1),
    (16, 1, 1, 4, 4, 1), (16, 4, 2, 1, 8, 1), (24, 2, 3, 2, 3, 2),
]


def definitions(path):
    with open(path) as file:
        tree = ast.parse(file.read())
    wanted = {"generate_masked_orthogonal_rank_groups", "RankGenerator"}
    body = [node for node in tree.body if getattr(node, "name", None) in wanted]
    scope = {"List": List, "Optional": Optional, "Tuple": Tuple}
    exec(compile(ast.Module(body, []), path, "exec"), scope)
    return scope["RankGenerator"]


def main():
    generator_class = definitions(sys.argv[1])
    print("# world tp cp pp ep etp order kind : groups. Made by tests/parity/rank_groups.py.")
    for world, tp, cp, pp, ep, etp in SIZES:
        for order in ["tp-cp-ep-dp-pp", "tp-cp-ep-pp-dp"]:
            if order.endswith("dp") and tp * cp != etp * ep and pp > 1:
                continue  # Megatron refuses: the views' pipelines differ.
            dense = generator_class(tp=tp, ep=1, dp=world // (tp * cp * pp), pp=pp, cp=cp, order=order)
            expert = generator_class(tp=etp, ep=ep, dp=world // (etp * ep * pp), pp=pp, cp=1, order=order)
            found = [(kind, dense.get_ranks(kind)) for kind in KINDS_DENSE]
            found += [(kind, expert.get_ranks(token)) for kind, token in KINDS_EXPERT.items()]
            for kind, groups in found:
                text = " | ".join(" ".join(map(str, group)) for group in groups)
                print(world, tp, cp, pp, ep, etp, order, kind, ":", text)


main()
