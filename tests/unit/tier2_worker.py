"""Stands for the jedi worker in tests: answers, or misbehaves as its first argument says.

Appends a line to the file of its second argument for every start (``start``) and every question (``ask``).
"""

import json
import sys
import time


def main() -> None:
    how, log = sys.argv[1], sys.argv[2]

    def note(word: str) -> None:
        with open(log, "a", encoding="ascii") as file:
            file.write(word + "\n")

    def say(answer: object) -> None:
        print(json.dumps(answer), flush=True)

    note("start")
    if how == "dead":
        return
    if how == "never ready":
        time.sleep(600)
    say({"ready": True, "rss": 1})
    for line in sys.stdin:
        note("ask")
        question = json.loads(line)
        name = {"full_name": "m.C", "type": "class", "module_path": "/m.py", "line": 1, "column": 6}
        answer = {"id": question["id"], "names": [name], "certain": True, "rss": 1}
        if how == "slow" or (how == "slow on b" and question["text"] == "b"):
            time.sleep(600)
        elif how == "crash":
            return
        elif how == "garbage":
            print("\x00 this is no JSON", flush=True)
        elif how == "other shape":
            say({**answer, "names": [{"full_name": 3}]})
        elif how == "a list":
            say([answer])
        elif how == "other id":
            say({**answer, "id": -1})
        elif how == "endless line":
            sys.stdout.write("x" * (1 << 23))
            sys.stdout.flush()
        elif how == "error":
            say({"id": question["id"], "error": "RecursionError: …", "rss": 1})
        elif how == "fat":
            say({**answer, "rss": 1 << 40})
        else:
            say(answer)


main()
