"""Numbers in sentences."""


def pluralize(number: int, noun: str, plural: str | None = None) -> str:
    """Write how many there are: "1 picture", "2,000 pictures"; the plural takes an s where none is given."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def make_printable(name: str) -> str:
    """Write the bytes of a file name that are not UTF-8 as hexadecimal escapes, so that text can hold it."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
