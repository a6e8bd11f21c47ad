# SPDX-License-Identifier: Apache-2.0
"""Rows of the program matrix: command-line programs."""
