"""What a key file may look like; and if it cannot be used, which line is wrong and why, without the key."""

from __future__ import annotations

import pytest

from app.web.key_file import InvalidKeyFile, KeyHolder, digest_key, parse_keys

ANNA = KeyHolder("anna", frozenset({"viewer", "predict"}))


@pytest.mark.parametrize(
    "content",
    [
        b"anna viewer,predict s3cret",
        b"\xef\xbb\xbfanna viewer,predict s3cret\r\n",
        "anna viewer,predict s3cret\n".encode("utf-16"),
        b"\xfe\xff" + "anna viewer,predict s3cret".encode("utf-16-be"),
        b"anna\tVIEWER,Predict\t\ts3cret\t# since May",
        b'\n# a comment\n   \nanna "viewer,predict" "s3cret"\n',
        b"'anna' viewer,predict 's3cret' # comment",
        "anna viewer,predict “s3cret”".encode(),
        b"anna viewer,predict s3cret\r",
    ],
)
def test_usual_spellings_work(content: bytes):
    """Byte order marks, UTF-16, line ends, tabs, quotes and comments."""
    assert dict(parse_keys(content, has_names=True)) == {digest_key(b"s3cret"): ANNA}


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"s3cret", "s3cret"),
        (b"\xef\xbb\xbfs3cret\r\n", "s3cret"),
        ("s3cret".encode("utf-16"), "s3cret"),
        (b'"s3cret" # the desk', "s3cret"),
        (b"s3cret  # the desk", "s3cret"),
        (b"two words", "two words"),
        (b"s3#cret", "s3#cret"),
        ("schlüssel".encode(), "schlüssel"),
    ],
)
def test_keys_without_names_work(content: bytes, key: str):
    """A line is a key, as before keys had names; a hash sign in a key is part of it."""
    [(digest, holder)] = parse_keys(content, has_names=False).items()

    assert digest == digest_key(key.encode())
    assert holder == KeyHolder("feedback-key-1", frozenset({"labeller"}))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"anna s3cret", "line 1 with 2 parts: write `name roles key`"),
        (b"\nanna viewer, predict s3cret", "line 2 with 4 parts"),
        (b"s3cret", "line 1 with 1 part:"),
        (b"anna s3cret viewer", "line 1 whose second part is not a list of roles: use predict, viewer"),
        (b"anna viewer,s3cret x", "line 1 whose second part"),
        (b"s3cret\xc3\xbc viewer x", "line 1 whose first part is not a name"),
        (b'anna viewer ""', "an empty key in line 1"),
        (b'anna viewer "s3cret', "quote in line 1 that does not end"),
        (b"anna viewer s3cret\nbert viewer s3cret", "the same key in lines 1 and 2"),
        (b"anna viewer s3cret\nbert viewer \xff", "line 2 that is not UTF-8"),
        ("anna viewer s3cret".encode("utf-16-le"), "UTF-16 without a byte order mark"),
        (b"anna viewer s3cret\x1b", "control characters in line 1"),
        (b"# nobody", "holds no key"),
    ],
)
def test_problem_is_named_without_the_key(content: bytes, problem: str):
    """The message has the number of the line; its parts are not repeated, because any of them may be the key."""
    with pytest.raises(InvalidKeyFile) as refused:
        parse_keys(content, has_names=True)

    assert problem in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'"s3cret', "quote in line 1"),
        (b'"s3cret" "another"', "line 1 that is not one key"),
        (b"other\nanna labeller s3cret", "line 2: such lines belong into the file in API_KEYS_FILE"),
        (b"s3cret\ns3cret", "lines 1 and 2"),
    ],
)
def test_problem_of_keys_without_names_is_named(content: bytes, problem: str):
    """The same for a file of keys alone."""
    with pytest.raises(InvalidKeyFile, match=problem) as refused:
        parse_keys(content, has_names=False)

    assert "s3cret" not in str(refused.value)
