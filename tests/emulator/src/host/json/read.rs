//! `JsonTextReader`: comments, single quotes, names without quotes, hexadecimal and octal numbers, a comma at the end.

use super::{JsonError, Token};

pub(super) fn whole(text: &str, depth: usize) -> Result<Token, JsonError> {
    let mut reader = Reader::new(text, depth);
    let value = reader.value(1)?;
    reader.skip()?;
    if reader.peek().is_some() { Err(reader.fault("additional text")) } else { Ok(value) }
}

pub(super) fn first(text: &str, depth: usize) -> Result<Option<Token>, JsonError> {
    let mut reader = Reader::new(text, depth);
    reader.skip()?;
    if reader.peek().is_none() { Ok(None) } else { reader.value(1).map(Some) }
}

struct Reader {
    letters: Vec<char>,
    at: usize,
    depth: usize,
}

impl Reader {
    fn new(text: &str, depth: usize) -> Self {
        Self { letters: text.chars().collect(), at: 0, depth }
    }

    fn fault(&self, why: &'static str) -> JsonError {
        JsonError(why, self.at)
    }

    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn next(&mut self) -> Result<char, JsonError> {
        let letter = self.peek().ok_or_else(|| self.fault("unexpected end"))?;
        self.at += 1;
        Ok(letter)
    }

    /// Takes this letter if it is the next one.
    fn takes(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    /// Skips white space and comments.
    fn skip(&mut self) -> Result<(), JsonError> {
        while let Some(letter) = self.peek() {
            if letter.is_whitespace() {
                self.at += 1;
            } else if letter == '/' {
                self.at += 1;
                self.comment()?;
            } else {
                break;
            }
        }
        Ok(())
    }

    fn comment(&mut self) -> Result<(), JsonError> {
        match self.next()? {
            '/' => {
                while self.peek().is_some_and(|letter| letter != '\n') {
                    self.at += 1;
                }
                Ok(())
            }
            '*' => loop {
                if self.next()? == '*' && self.takes('/') {
                    return Ok(());
                }
            },
            _ => Err(self.fault("no comment")),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Token, JsonError> {
        self.skip()?;
        match self.next()? {
            '{' | '[' if depth > self.depth => Err(self.fault("too deep")),
            '{' => self.object(depth),
            '[' => self.array(depth),
            quote @ ('"' | '\'') => self.text(quote).map(Token::Text),
            letter if letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.') => {
                self.at -= 1;
                let word = self.word();
                scalar(&word).ok_or_else(|| self.fault("unexpected value"))
            }
            _ => Err(self.fault("unexpected character")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Token, JsonError> {
        let mut members = Vec::new();
        loop {
            self.skip()?;
            if self.takes('}') {
                return Ok(Token::Object(members));
            }
            let name = match self.next()? {
                quote @ ('"' | '\'') => self.text(quote)?,
                letter if letter.is_alphanumeric() || matches!(letter, '_' | '$') => {
                    self.at -= 1;
                    let start = self.at;
                    while self.peek().is_some_and(|next| next.is_alphanumeric() || matches!(next, '_' | '$'))
                    {
                        self.at += 1;
                    }
                    self.letters[start..self.at].iter().collect()
                }
                _ => return Err(self.fault("no name of a member")),
            };
            self.skip()?;
            if !self.takes(':') {
                return Err(self.fault("no colon"));
            }
            let value = self.value(depth + 1)?;
            Token::set(&mut members, name, value);
            self.separator('}')?;
        }
    }

    fn array(&mut self, depth: usize) -> Result<Token, JsonError> {
        let mut elements = Vec::new();
        loop {
            self.skip()?;
            if self.takes(']') {
                return Ok(Token::Array(elements));
            }
            elements.push(self.value(depth + 1)?);
            self.separator(']')?;
        }
    }

    /// A comma, or the end, which stays.
    fn separator(&mut self, end: char) -> Result<(), JsonError> {
        self.skip()?;
        if self.takes(',') || self.peek() == Some(end) { Ok(()) } else { Err(self.fault("no comma")) }
    }

    /// A text after its first quote. A surrogate alone becomes U+FFFD.
    fn text(&mut self, quote: char) -> Result<String, JsonError> {
        let mut units = Vec::new();
        loop {
            let letter = match self.next()? {
                letter if letter == quote => return Ok(String::from_utf16_lossy(&units)),
                '\\' => match self.next()? {
                    'b' => '\u{8}',
                    't' => '\t',
                    'n' => '\n',
                    'f' => '\u{c}',
                    'r' => '\r',
                    letter @ ('\\' | '"' | '\'' | '/') => letter,
                    'u' => {
                        units.push(self.unit()?);
                        continue;
                    }
                    _ => return Err(self.fault("bad escape")),
                },
                letter => letter,
            };
            units.extend_from_slice(letter.encode_utf16(&mut [0; 2]));
        }
    }

    fn unit(&mut self) -> Result<u16, JsonError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.next()?.to_digit(16).ok_or_else(|| self.fault("bad escape"))?;
            unit = unit * 16 + digit;
        }
        u16::try_from(unit).map_err(|_| self.fault("bad escape"))
    }

    fn word(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(|next| next.is_ascii_alphanumeric() || matches!(next, '+' | '-' | '.'))
        {
            self.at += 1;
        }
        self.letters[start..self.at].iter().collect()
    }
}

fn scalar(word: &str) -> Option<Token> {
    Some(match word {
        "true" => Token::Bool(true),
        "false" => Token::Bool(false),
        "null" | "undefined" => Token::Null,
        "NaN" => Token::Float(f64::NAN),
        "Infinity" => Token::Float(f64::INFINITY),
        "-Infinity" => Token::Float(f64::NEG_INFINITY),
        number => return self::number(number),
    })
}

/// A leading zero makes a number hexadecimal or octal.
fn number(text: &str) -> Option<Token> {
    let other_base = match text.strip_prefix('0') {
        Some(rest) if rest.starts_with(['x', 'X']) => Some((&rest[1..], 16)),
        Some(rest) if rest.starts_with(|next: char| next.is_ascii_digit()) => Some((rest, 8)),
        _ => None,
    };
    if let Some((digits, base)) = other_base {
        return i64::from_str_radix(digits, base).ok().map(|value| Token::Integer(value.to_string()));
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let small = text.parse::<i64>().map(|value| value.to_string());
        return Some(Token::Integer(small.unwrap_or_else(|_| text.to_owned())));
    }
    text.parse().ok().map(Token::Float)
}
