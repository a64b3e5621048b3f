//! A query: a table and a sequence of steps.

use serde_json::{Value, json};

use super::{
    expression::{Columns, Comparison, Expression, Function, Row, text},
    lexer::{Word, words},
};

/// A query over a table.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) table: String,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Where(Expression),
    /// The named columns; with the flag, all others as well.
    Columns(Vec<(String, Expression)>, bool),
    /// Ascending, or else descending.
    Order(Expression, bool),
    Take(usize),
    /// One row, with the number of rows in this column.
    Count(String),
}

impl Query {
    pub(crate) fn parse(query: &str) -> Result<Self, String> {
        let mut parser = Parser { words: words(query)?, place: 0 };
        let table = parser.name()?;
        let mut steps = Vec::new();
        while parser.takes("|") {
            steps.push(parser.step()?);
        }
        match parser.next() {
            None => Ok(Self { table, steps: ordered_first(steps) }),
            Some(word) => Err(format!("{word:?} was not expected")),
        }
    }

    /// The row of a query that counts, if this many rows match.
    pub(super) fn counted(&self, rows: usize) -> Option<Row> {
        self.steps.iter().find_map(|step| match step {
            Step::Count(column) => Some(counted(column, rows)),
            _ => None,
        })
    }

    /// The number of rows of the query, and `most` of them from `start` on. Only the rows of this page are
    /// materialised.
    pub(crate) fn page<T: Columns>(&self, mut table: Vec<T>, start: usize, most: usize) -> (usize, Vec<Row>) {
        let is_choice = |step: &&Step| !matches!(step, Step::Columns(..) | Step::Count(_));
        let (choices, rest) = self.steps.split_at(self.steps.iter().take_while(is_choice).count());
        for step in choices {
            step.choose(&mut table);
        }
        if rest.iter().all(|step| matches!(step, Step::Columns(..))) {
            let page: Vec<Row> = table.iter().skip(start).take(most).map(Columns::row).collect();
            return (table.len(), rest.iter().fold(page, |rows, step| step.run(rows)));
        }
        if let [Step::Count(column), rest @ ..] = rest {
            let rows = rest.iter().fold(vec![counted(column, table.len())], |rows, step| step.run(rows));
            return (rows.len(), rows.into_iter().skip(start).take(most).collect());
        }
        let rows = rest.iter().fold(table.iter().map(Columns::row).collect(), |rows, step| step.run(rows));
        (rows.len(), rows.into_iter().skip(start).take(most).collect())
    }
}

/// Moves each sort before a projection that keeps its columns: the result is the same.
fn ordered_first(mut steps: Vec<Step>) -> Vec<Step> {
    for place in 1..steps.len() {
        let is_kept = match (&steps[place - 1], &steps[place]) {
            (Step::Columns(columns, _), Step::Order(Expression::Path(by), _)) => {
                let same = Expression::Path(by.clone());
                by.len() == 1 && columns.iter().any(|(name, column)| *name == by[0] && *column == same)
            }
            _ => false,
        };
        if is_kept {
            steps.swap(place - 1, place);
        }
    }
    steps
}

impl Step {
    /// Filters and sorts rows without changing their columns.
    fn choose<T: Columns>(&self, rows: &mut Vec<T>) {
        match self {
            Self::Where(condition) => rows.retain(|row| condition.holds(row)),
            Self::Order(by, ascending) => {
                rows.sort_by_cached_key(|row| text(&by.of(row)).to_lowercase());
                if !ascending {
                    rows.reverse();
                }
            }
            Self::Take(most) => rows.truncate(*most),
            Self::Columns(..) | Self::Count(_) => {}
        }
    }

    fn run(&self, mut rows: Vec<Row>) -> Vec<Row> {
        match self {
            Self::Where(_) | Self::Order(..) | Self::Take(_) => self.choose(&mut rows),
            Self::Columns(columns, keep) => {
                for row in &mut rows {
                    let computed: Row =
                        columns.iter().map(|(name, expression)| (name.clone(), expression.of(row))).collect();
                    if *keep { row.extend(computed) } else { *row = computed }
                }
            }
            Self::Count(column) => return vec![counted(column, rows.len())],
        }
        rows
    }
}

fn counted(column: &str, rows: usize) -> Row {
    Row::from_iter([(column.to_owned(), json!(rows))])
}

struct Parser {
    words: Vec<Word>,
    place: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Word> {
        self.words.get(self.place)
    }

    fn next(&mut self) -> Option<Word> {
        let word = self.words.get(self.place).cloned();
        self.place += 1;
        word
    }

    fn takes(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Word::Sign(next)) if *next == sign);
        self.place += usize::from(found);
        found
    }

    fn takes_name(&mut self, name: &str) -> bool {
        let found = matches!(self.peek(), Some(Word::Name(next)) if next == name);
        self.place += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.takes(sign) { Ok(()) } else { Err(format!("'{sign}' expected, not {:?}", self.peek())) }
    }

    fn name(&mut self) -> Result<String, String> {
        match self.next() {
            Some(Word::Name(name)) => Ok(name),
            other => Err(format!("a name expected, not {other:?}")),
        }
    }

    fn step(&mut self) -> Result<Step, String> {
        let operator = self.name()?;
        match operator.as_str() {
            "where" => Ok(Step::Where(self.either()?)),
            "project" => Ok(Step::Columns(self.columns()?, false)),
            "extend" => Ok(Step::Columns(self.columns()?, true)),
            "order" | "sort" => {
                if !self.takes_name("by") {
                    return Err("'by' expected".to_owned());
                }
                let by = self.value()?;
                // The language sorts in descending order by default.
                let ascending = self.takes_name("asc");
                if !ascending {
                    self.takes_name("desc");
                }
                Ok(Step::Order(by, ascending))
            }
            "take" | "limit" => match self.next() {
                Some(Word::Number(most)) => Ok(Step::Take(usize::try_from(most).unwrap_or(usize::MAX))),
                other => Err(format!("a number expected, not {other:?}")),
            },
            "count" => Ok(Step::Count("Count".to_owned())),
            "summarize" => self.summary(),
            other => Err(format!("the operator '{other}' is not known here")),
        }
    }

    /// `count()` over all rows, whose column is `count_` without a name of its own.
    fn summary(&mut self) -> Result<Step, String> {
        let first = self.name()?;
        let (column, function) =
            if self.takes("=") { (first, self.name()?) } else { ("count_".to_owned(), first) };
        self.expect("(")?;
        self.expect(")")?;
        if function == "count" {
            Ok(Step::Count(column))
        } else {
            Err(format!("'{function}()' is not known here"))
        }
    }

    fn columns(&mut self) -> Result<Vec<(String, Expression)>, String> {
        let mut columns = Vec::new();
        loop {
            let first = self.either()?;
            let column = if self.takes("=") {
                (first.name().ok_or("a column's name expected")?, self.either()?)
            } else {
                (first.name().unwrap_or_else(|| format!("Column{}", columns.len() + 1)), first)
            };
            columns.push(column);
            if !self.takes(",") {
                return Ok(columns);
            }
        }
    }

    fn either(&mut self) -> Result<Expression, String> {
        let mut left = self.both()?;
        while self.takes_name("or") {
            left = Expression::Or(Box::new(left), Box::new(self.both()?));
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Expression, String> {
        let mut left = self.comparison()?;
        while self.takes_name("and") {
            left = Expression::And(Box::new(left), Box::new(self.comparison()?));
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Expression, String> {
        let left = self.value()?;
        for (sign, comparison, holds) in [
            ("==", Comparison::Equal, true),
            ("!=", Comparison::Equal, false),
            ("=~", Comparison::EqualInAnyCase, true),
            ("!~", Comparison::EqualInAnyCase, false),
        ] {
            if self.takes(sign) {
                let right = Box::new(self.value()?);
                return Ok(negate(Expression::Compare(comparison, Box::new(left), right), holds));
            }
        }
        let holds = !self.takes("!");
        if self.takes_name("in") {
            let exact = !self.takes("~");
            self.expect("(")?;
            let mut others = vec![self.value()?];
            while self.takes(",") {
                others.push(self.value()?);
            }
            self.expect(")")?;
            return Ok(negate(Expression::In(Box::new(left), others, exact), holds));
        }
        for (name, comparison) in [
            ("contains", Comparison::Contains),
            ("startswith", Comparison::StartsWith),
            ("endswith", Comparison::EndsWith),
        ] {
            if self.takes_name(name) {
                let right = Box::new(self.value()?);
                return Ok(negate(Expression::Compare(comparison, Box::new(left), right), holds));
            }
        }
        if holds { Ok(left) } else { Err("'!' was not expected".to_owned()) }
    }

    fn value(&mut self) -> Result<Expression, String> {
        match self.next() {
            Some(Word::Text(text)) => Ok(Expression::Literal(Value::from(text))),
            Some(Word::Number(number)) => Ok(Expression::Literal(Value::from(number))),
            Some(Word::Sign("(")) => {
                let inner = self.either()?;
                self.expect(")")?;
                Ok(inner)
            }
            Some(Word::Name(name)) if self.takes("(") => {
                let argument = self.either()?;
                self.expect(")")?;
                if name == "not" {
                    return Ok(Expression::Not(Box::new(argument)));
                }
                let (function, holds) = Function::named(&name)
                    .ok_or_else(|| format!("the function '{name}' is not known here"))?;
                Ok(negate(Expression::Call(function, Box::new(argument)), holds))
            }
            Some(Word::Name(name)) => self.path(name),
            other => Err(format!("a value expected, not {other:?}")),
        }
    }

    fn path(&mut self, first: String) -> Result<Expression, String> {
        let mut names = vec![first];
        loop {
            if self.takes(".") {
                names.push(self.name()?);
            } else if self.takes("[") {
                match self.next() {
                    Some(Word::Text(name)) => names.push(name),
                    other => return Err(format!("a member's name expected, not {other:?}")),
                }
                self.expect("]")?;
            } else {
                return Ok(Expression::Path(names));
            }
        }
    }
}

fn negate(expression: Expression, holds: bool) -> Expression {
    if holds { expression } else { Expression::Not(Box::new(expression)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(query: &str) -> Value {
        let rows = json!([
            {"id": "/b", "type": "microsoft.compute/disks", "properties": {"mode": "None"}, "tags": {"a b": "x"}},
            {"id": "/A", "type": "microsoft.compute/snapshots", "properties": {"mode": "Entra"}, "tags": null},
            {"id": "/c", "type": "microsoft.compute/disks", "properties": {}, "tags": null}
        ]);
        let rows = rows.as_array().unwrap().iter().map(|row| row.as_object().unwrap().clone()).collect();
        let rows: Vec<Row> = rows;
        let query = Query::parse(query).unwrap();
        let (total, all) = query.page(rows.clone(), 0, usize::MAX);
        assert_eq!(total, all.len());
        // A page is a part of the whole.
        for start in 0..=total {
            assert_eq!(
                query.page(rows.clone(), start, 1),
                (total, all.iter().skip(start).take(1).cloned().collect())
            );
        }
        all.into_iter().map(Value::Object).collect()
    }

    #[test]
    fn rows_are_chosen_ordered_and_projected() {
        assert_eq!(
            run(
                "Resources // all\n| where type in~ ('MICROSOFT.COMPUTE/DISKS','microsoft.compute/snapshots')\n\
                 | where tostring(properties.mode) !~ 'ENTRA' | project id, mode = tostring(properties.mode) \
                 | order by id asc"
            ),
            json!([{"id": "/b", "mode": "None"}, {"id": "/c", "mode": ""}])
        );
        assert_eq!(run("resources | project id | order by id asc | take 1"), json!([{"id": "/A"}]));
        assert_eq!(
            run("resources | project id = tostring(properties.mode) | order by id desc"),
            json!([{"id": "None"}, {"id": "Entra"}, {"id": ""}])
        );
        assert_eq!(run("resources | where tags['a b'] == 'x' | project id"), json!([{"id": "/b"}]));
        assert_eq!(
            run("resources | where isnull(tags) and not(id =~ '/C') | project id"),
            json!([{"id": "/A"}])
        );
        assert_eq!(
            run(
                "resources | where type !in ('microsoft.compute/disks') or isnotempty(properties.mode) | count"
            ),
            json!([{"Count": 2}])
        );
        assert_eq!(
            run("resources | where type endswith 'Snapshots' | extend n = 1 | project n"),
            json!([{"n": 1}])
        );
        let all = run("resources").as_array().unwrap().len();
        assert_eq!(run("resources | summarize count()"), json!([{"count_": all}]));
        assert_eq!(run("resources | summarize n = count()"), json!([{"n": all}]));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for wrong in [
            "",
            "resources |",
            "resources | summarize count() by type",
            "resources | summarize max()",
            "resources | where f(x)",
            "resources | where 'x",
            "resources | where a ! b",
            "resources ; drop",
            "resources where",
        ] {
            assert!(Query::parse(wrong).is_err(), "{wrong}");
        }
    }
}
