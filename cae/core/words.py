"""Text for messages: numbers with nouns, and file names that can be printed."""


def pluralize(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: "1 image", "2,000 images"; the default plural ends in s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def make_printable(name: str) -> str:
    """Return a file name to print: bytes that are not UTF-8 become hexadecimal escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
