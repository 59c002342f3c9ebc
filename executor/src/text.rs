//! Texts of unknown senders in answers and logs.

/// Characters of an explanation.
pub const DETAIL_CHARS: usize = 500;
/// Characters of a name that an answer repeats: more than any object of Kubernetes may have.
pub const NAME_CHARS: usize = 300;

/// The first `chars` characters of a text.
#[must_use]
pub fn cut(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn cuts_between_characters() {
        assert_eq!((cut("äöü", 2), cut("äöü", 3), cut("äöü", 9), cut("", 1), cut("x", 0)), ("äö", "äöü", "äöü", "", ""));
    }
}
