"""Downloads: from addresses to a verified file.

In: addresses, tried in order, and a checksum if one is known.
Out: the file, complete and verified; a download that was interrupted is resumed.
May import: system, config.
"""
