//! Removes paired formatting marks.

/// Bold, italic, strikethrough.
const MARKS: [char; 3] = ['*', '_', '~'];

pub(super) fn is_mark(c: char) -> bool {
    MARKS.contains(&c)
}

/// A character that may be a mark, or a piece of text that contains no marks.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Char(char),
    Piece(String),
}

impl Token {
    fn is(&self, c: char) -> bool {
        *self == Token::Char(c)
    }

    fn is_blank(&self) -> bool {
        matches!(self, Token::Char(c) if c.is_whitespace())
    }

    fn is_of_word(&self) -> bool {
        matches!(self, Token::Char(c) if c.is_alphanumeric())
    }

    fn is_any_mark(&self) -> bool {
        matches!(self, Token::Char(c) if is_mark(*c))
    }
}

/// Joins the tokens and drops paired marks.
pub(super) fn join(tokens: Vec<Token>) -> String {
    let mut dropped = vec![false; tokens.len()];
    let mut start = 0;
    for line in tokens.split(|token| token.is('\n')) {
        for mark in MARKS {
            for (open, close) in pairs(line, mark) {
                dropped[start + open] = true;
                dropped[start + close] = true;
            }
        }
        start += line.len() + 1;
    }
    let mut text = String::new();
    for (token, dropped) in tokens.into_iter().zip(dropped) {
        match token {
            _ if dropped => {}
            Token::Char(c) => text.push(c),
            Token::Piece(piece) => text.push_str(&piece),
        }
    }
    text
}

/// Returns the positions of the opening and the closing mark of each pair within a line, as Slack pairs them.
///
/// On its inner side a mark has no blank, on its outer side no letter or digit. So `snake_case_names`, `2 * 3 * 4` and
/// `__init__` keep their marks.
fn pairs(line: &[Token], mark: char) -> Vec<(usize, usize)> {
    let inner = |token: Option<&Token>| token.is_some_and(|it| !it.is_blank() && !it.is(mark));
    let outer = |token: Option<&Token>| token.is_none_or(|it| !it.is_of_word() && !it.is(mark));
    let before = |at: usize| at.checked_sub(1).and_then(|at| line.get(at));
    let mut found = Vec::new();
    let mut opened: Option<usize> = None;
    // Whether the pair contains anything but marks: "*_*" is a face.
    let mut says_something = false;
    for (at, token) in line.iter().enumerate() {
        if !token.is(mark) {
            says_something |= !token.is_any_mark();
            continue;
        }
        let (left, right) = (before(at), line.get(at + 1));
        match opened {
            Some(open) if says_something && inner(left) && outer(right) => {
                found.push((open, at));
                opened = None;
            }
            None if outer(left) && inner(right) => {
                opened = Some(at);
                says_something = false;
            }
            _ => {}
        }
    }
    found
}
