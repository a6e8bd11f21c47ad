# SPDX-License-Identifier: Apache-2.0
"""What the generators of this folder have in common: the table of all calls, and a header to write."""
import importlib.util
import os
import sys

FROM = 0  # place of x86-64, whose calls a program that moves makes, in the table's ISAS


class GenError(Exception):
    pass


def load_module(folder):
    spec = importlib.util.spec_from_file_location("gen_table", os.path.join(folder, "gen-table.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_header(folder, output, generate):
    """generate(module of the table): the text. Ends the program with a sentence when that fails."""
    module = load_module(folder)
    try:
        text = generate(module)
    except (module.TableError, GenError) as e:
        sys.exit(str(e))
    with open(output, "w", encoding="utf-8") as f:
        f.write(text)
