"""Prints the characters that pdf/font keeps, for fontTools.subset."""

ranges = [(0x20, 0x7F), (0xA0, 0x180), (0x2010, 0x2040), (0x3000, 0x3030), (0xFF00, 0xFFF0)]
characters = {c for begin, end in ranges for c in range(begin, end)}
characters |= {ord(c) for c in "€™←↑→↓✓✗×≠≤≥●○"}
for row in range(0xA1, 0xF8):  # GB 2312
    for cell in range(0xA1, 0xFF):
        try:
            characters.add(ord(bytes([row, cell]).decode("gb2312")))
        except UnicodeDecodeError:
            pass
print(",".join(f"U+{c:04X}" for c in sorted(characters)))
