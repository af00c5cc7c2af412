"""Prints the scalars of an event file as TensorBoard itself reads them (package: tensorboard 2.21).

    python tests/parity/read_tensorboard.py FOLDER_OR_FILE
"""

import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def main():
    events = EventAccumulator(sys.argv[1])
    events.Reload()
    for tag in events.Tags()["scalars"]:
        for event in events.Scalars(tag):
            print(event.step, tag, event.value)


if __name__ == "__main__":
    main()
