//! Where the cells of a table are, in the columns of a terminal.

use super::width::{of, shortened};

/// The space between two columns.
const GAP: usize = 2;
/// The least room for sentences beside a row. With less they are below it.
const PROSE_MIN: usize = 30;
/// The indent of what is below a row.
const BELOW: usize = 4;

/// What becomes of a column that has too little room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// It is never cut.
    Whole,
    /// It is shortened, down to so many columns of the terminal.
    Short(usize),
    /// It is wrapped beside the row or below it.
    Prose,
    /// It is below the row, on a line of its own, so that it can be copied.
    Below,
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    title: &'static str,
    fit: Fit,
    is_right: bool,
    /// The column with the lowest rank is left out first; one without a rank never.
    rank: Option<u8>,
}

impl Column {
    const fn new(title: &'static str, fit: Fit) -> Self {
        Self { title, fit, is_right: false, rank: None }
    }

    /// Words and dates, which are never cut.
    pub const fn whole(title: &'static str) -> Self {
        Self::new(title, Fit::Whole)
    }

    /// Names, which are shortened down to `min` columns of the terminal.
    pub const fn name(title: &'static str, min: usize) -> Self {
        Self::new(title, Fit::Short(min))
    }

    /// Numbers.
    pub const fn number(title: &'static str) -> Self {
        Self { is_right: true, ..Self::whole(title) }
    }

    /// Sentences. After them there are only columns of [`Self::id`].
    pub const fn prose(title: &'static str) -> Self {
        Self::new(title, Fit::Prose)
    }

    /// IDs, which are never cut. They are the last columns.
    pub const fn id(title: &'static str) -> Self {
        Self::new(title, Fit::Below)
    }

    /// The same as one that may be left out: the lowest rank first.
    #[must_use]
    pub const fn ranked(self, rank: u8) -> Self {
        Self { rank: Some(rank), ..self }
    }

    const fn is_tail(self) -> bool {
        matches!(self.fit, Fit::Prose | Fit::Below)
    }
}

/// Where a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the row, with this width.
    Beside(usize),
    /// In lines of its own below the row.
    Below,
    /// Left out.
    Nowhere,
}

/// The columns with their places.
#[derive(Debug)]
pub struct Layout<'a> {
    columns: &'a [Column],
    places: Vec<Place>,
    /// The width of the terminal, if it limits the table.
    limit: Option<usize>,
}

impl<'a> Layout<'a> {
    /// Places columns whose cells have these widths at most; with the width 0, a column has nothing in any row.
    pub fn new(columns: &'a [Column], widths: &[usize], limit: Option<usize>) -> Self {
        let full = |(column, width): (&Column, &usize)| Place::Beside(of(column.title).max(*width));
        let mut layout = Self { columns, places: columns.iter().zip(widths).map(full).collect(), limit };
        let Some(limit) = limit.filter(|limit| layout.width() > *limit) else {
            layout.limit = None;
            return layout;
        };
        let natural = layout.places.clone();
        layout.leave_out(|index, _| widths.get(index) == Some(&0));
        layout.place_tail(limit);
        let mut ranks: Vec<_> = columns.iter().filter_map(|column| column.rank).collect();
        ranks.sort_unstable();
        layout.shorten(limit);
        for rank in ranks {
            if layout.width() <= limit {
                break;
            }
            layout.leave_out(|_, column| column.rank == Some(rank));
            // What is left out gives room to the names.
            for ((place, natural), column) in layout.places.iter_mut().zip(&natural).zip(columns) {
                if matches!((*place, column.fit), (Place::Beside(_), Fit::Short(_))) {
                    *place = *natural;
                }
            }
            layout.shorten(limit);
        }
        layout
    }

    /// The titles as cells.
    pub(super) fn titles(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.title.to_owned()).collect()
    }

    fn width(&self) -> usize {
        let widths = self.places.iter().filter_map(|place| match place {
            Place::Beside(width) => Some(width + GAP),
            Place::Below | Place::Nowhere => None,
        });
        widths.sum::<usize>().saturating_sub(GAP)
    }

    fn leave_out(&mut self, is_left_out: impl Fn(usize, &Column) -> bool) {
        for (index, (place, column)) in self.places.iter_mut().zip(self.columns).enumerate() {
            if is_left_out(index, column) {
                *place = Place::Nowhere;
            }
        }
    }

    /// Puts sentences beside the row if there is enough room for them without shorter names. Everything else of the tail
    /// is below.
    fn place_tail(&mut self, limit: usize) {
        let tail = |(place, column): &(&Place, &Column)| column.is_tail() && **place != Place::Nowhere;
        let is_alone = self.places.iter().zip(self.columns).filter(tail).count() == 1;
        let others = self.places.iter().zip(self.columns).filter_map(|(place, column)| match place {
            Place::Beside(width) if !column.is_tail() => Some(width + GAP),
            _ => None,
        });
        let room = limit.saturating_sub(others.sum());
        for (place, column) in self.places.iter_mut().zip(self.columns).filter(|(_, column)| column.is_tail())
        {
            let Place::Beside(width) = *place else { continue };
            let has_room = is_alone && (width <= room || column.fit == Fit::Prose && room >= PROSE_MIN);
            *place = if has_room { Place::Beside(room.min(width)) } else { Place::Below };
        }
    }

    /// Shortens the widest names, one column of the terminal at a time.
    fn shorten(&mut self, limit: usize) {
        while self.width() > limit {
            let widest = self
                .places
                .iter_mut()
                .zip(self.columns)
                .filter_map(|(place, column)| match (place, column.fit) {
                    (Place::Beside(width), Fit::Short(min)) if *width > min.max(of(column.title)) => {
                        Some(width)
                    }
                    _ => None,
                })
                .max();
            match widest {
                Some(width) => *width -= 1,
                None => return,
            }
        }
    }

    /// The lines of a row, each with its line break. `paint` gets the title and the cell.
    pub(super) fn lines(&self, cells: &[String], paint: impl Fn(&str, String) -> String) -> String {
        let (mut first, mut below) = (String::new(), vec![]);
        let mut start = 0;
        for ((column, place), cell) in self.columns.iter().zip(&self.places).zip(cells) {
            match *place {
                Place::Nowhere => {}
                Place::Below => {
                    if !cell.is_empty() {
                        below.extend(self.wrapped(cell, BELOW, column.fit));
                    }
                }
                // An ID among the sentences would be wider than its column.
                Place::Beside(width) if column.is_tail() && cell.split(' ').any(|word| of(word) > width) => {
                    below.extend(self.wrapped(cell, BELOW, column.fit));
                }
                Place::Beside(width) if column.is_tail() && of(cell) > width => {
                    let mut lines = self.wrapped(cell, start, column.fit).into_iter();
                    first.push_str(lines.next().unwrap_or_default().trim_start());
                    below.extend(lines);
                }
                Place::Beside(width) => {
                    // Rows that come after their layout may be wider than it; without a limit nothing is cut.
                    let cell = if self.limit.is_some() { shortened(cell, width) } else { cell.clone() };
                    let gap = " ".repeat(width.saturating_sub(of(&cell)));
                    let cell = paint(column.title, cell);
                    first += &if column.is_right { gap + &cell } else { cell + &gap };
                    first += &" ".repeat(GAP);
                    start += width + GAP;
                }
            }
        }
        let mut lines = format!("{}\n", first.trim_end());
        for line in below {
            lines += &line;
            lines.push('\n');
        }
        lines
    }

    /// A text in lines with this indent.
    fn wrapped(&self, text: &str, indent: usize, fit: Fit) -> Vec<String> {
        let indent = " ".repeat(indent);
        match (self.limit, fit) {
            (Some(limit), Fit::Prose) => {
                let options =
                    textwrap::Options::new(limit).initial_indent(&indent).subsequent_indent(&indent);
                textwrap::wrap(text, without_breaks(options)).into_iter().map(String::from).collect()
            }
            _ => vec![format!("{indent}{text}")],
        }
    }
}

/// An ID that is longer than the line stays whole, so that it can be copied.
pub(super) fn without_breaks(options: textwrap::Options<'_>) -> textwrap::Options<'_> {
    options
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
}
