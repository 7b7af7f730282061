#!/usr/bin/env python3
"""Writes a file as a C array: embed.py INPUT OUTPUT NAME."""
import sys

source, target, name = sys.argv[1:]
data = open(source, 'rb').read()
with open(target, 'w') as out:
    out.write('/* Made of %s by embed.py. */\n#include <stddef.h>\n\n' % source.rsplit('/', 1)[-1])
    out.write('extern const char %s_text[];\nextern const size_t %s_length;\n' % (name, name))
    out.write('const size_t %s_length = %d;\nconst char %s_text[] = {' % (name, len(data), name))
    for i, byte in enumerate(data):
        out.write('%s%d,' % ('\n\t' if i % 24 == 0 else '', byte if byte < 128 else byte - 256))
    out.write('\n};\n')
