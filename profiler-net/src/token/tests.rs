use std::fs;

use super::*;

const SECRET: &str = "0123456789abcdef";

fn load(text: &str) -> Result<(tempfile::NamedTempFile, Tokens), FileError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let tokens = Tokens::load(file.path())?;
    Ok((file, tokens))
}

#[test]
fn names_comments_and_blanks() {
    let text = format!("# people\n\n  ann: {SECRET}1\r\n{SECRET}2\n:{SECRET}3\n");
    let (_file, tokens) = load(&text).unwrap();
    let find = |end: &str| tokens.find(format!("{SECRET}{end}").as_bytes());
    assert_eq!(find("1"), Some(Some("ann".into())));
    assert_eq!(find("2"), Some(None));
    assert_eq!(find("3"), Some(None));
    assert_eq!(find("4"), None);
    assert_eq!(find(""), None);
    assert_eq!(tokens.first(), Some(format!("{SECRET}1")));
}

#[test]
fn what_is_no_token_is_named_by_its_line_and_not_repeated() {
    for (text, part) in [
        ("", "holds no token"),
        ("# none\n", "holds no token"),
        (
            "\nshort\n",
            "line 2: a token has 16 to 4096 characters, this one has 5",
        ),
        ("ann:\n", "this one has 0"),
        (
            "0123456789 abcdefgh\n",
            "line 1: a token consists of letters",
        ),
    ] {
        let error = load(text).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert!(
            !error.contains("abcdefgh") && !error.contains("short"),
            "{error}"
        );
    }
    let many = format!("{SECRET}\n").repeat(TOKENS_MAX + 1);
    assert!(
        load(&many)
            .unwrap_err()
            .to_string()
            .contains("more than 1024")
    );
}

#[test]
fn a_changed_file_changes_the_tokens_and_a_broken_one_does_not() {
    let (file, tokens) = load(SECRET).unwrap();
    fs::write(file.path(), "fedcba9876543210").unwrap();
    assert_eq!(tokens.reload(), Ok(true));
    assert_eq!(tokens.find(SECRET.as_bytes()), None);
    fs::write(file.path(), "").unwrap();
    assert!(tokens.reload().is_err());
    assert!(tokens.find(b"fedcba9876543210").is_some());
}
