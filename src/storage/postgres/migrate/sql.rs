//! The statements of a migration: where each begins, what it says, and how it parses.

use std::mem;

use sqlparser::ast;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace};

/// One statement of a migration.
#[derive(Clone, Debug)]
pub struct Sql {
    /// The line of the file that it begins on, from 1.
    pub line: u64,
    /// The statement as written, without the semicolon.
    pub text: String,
    /// The lines of the `--` comments before and inside of it.
    pub comments: Vec<String>,
    /// What it is. `None`: the parser does not know such a statement, although Postgres may.
    pub parsed: Option<ast::Statement>,
    /// Whether it builds or drops an index without keeping writers waiting, which it cannot do in a transaction.
    pub is_concurrent: bool,
}

/// A migration that is not SQL: a quote or a comment does not end.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct SqlError {
    line: u64,
    problem: String,
}

/// The statements of a migration, in order.
pub fn statements(text: &str) -> Result<Vec<Sql>, SqlError> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location();
    let tokens = tokens.map_err(|error| SqlError { line: error.location.line, problem: error.message })?;
    let (mut found, mut comments, mut code) = (Vec::new(), Vec::new(), Vec::new());
    for token in tokens {
        match &token.token {
            Token::SemiColon => found.extend(statement(text, mem::take(&mut code), mem::take(&mut comments))),
            Token::Whitespace(Whitespace::SingleLineComment { comment, .. }) => {
                comments.push(comment.trim().to_owned());
            }
            Token::Whitespace(_) => {}
            _ => code.push(token),
        }
    }
    found.extend(statement(text, code, comments));
    Ok(found)
}

fn statement(text: &str, code: Vec<TokenWithSpan>, comments: Vec<String>) -> Option<Sql> {
    let (first, last) = (code.first()?.span.start, code.last()?.span.end);
    let text = text.get(offset(text, first)..offset(text, last)).unwrap_or_default().to_owned();
    let is_concurrent = code.iter().any(|token| is_keyword(token, Keyword::CONCURRENTLY));
    Some(Sql { line: first.line, text, comments, parsed: parse(code), is_concurrent })
}

/// Where a place in a text is, in bytes.
fn offset(text: &str, place: Location) -> usize {
    let line = usize::try_from(place.line).unwrap_or_default().saturating_sub(1);
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let column = usize::try_from(place.column).unwrap_or_default().saturating_sub(1);
    let rest = text.get(before..).unwrap_or_default();
    before + rest.chars().take(column).map(char::len_utf8).sum::<usize>()
}

fn parse(mut code: Vec<TokenWithSpan>) -> Option<ast::Statement> {
    // The parser does not know `DROP INDEX CONCURRENTLY`.
    let is_drop = code.first().is_some_and(|token| is_keyword(token, Keyword::DROP));
    if is_drop && code.get(2).is_some_and(|token| is_keyword(token, Keyword::CONCURRENTLY)) {
        code.remove(2);
    }
    let mut parser = Parser::new(&PostgreSqlDialect {}).with_tokens_with_locations(code);
    let statement = parser.parse_statement().ok()?;
    // What is left over was not understood.
    (parser.peek_token_ref().token == Token::EOF).then_some(statement)
}

fn is_keyword(token: &TokenWithSpan, keyword: Keyword) -> bool {
    matches!(&token.token, Token::Word(word) if word.keyword == keyword && word.quote_style.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_where_postgres_ends_them() {
        let text = "-- Why; not.\nCREATE TABLE a (b text DEFAULT ';');\n\n/* ; */\n  COMMENT ON TABLE a IS 'ü;''';\n\
                    SELECT $body$ ; $body$, \"a;b\" ; ;\n-- the end\nDROP INDEX CONCURRENTLY IF EXISTS a_b";
        let found = statements(text).unwrap();
        let texts: Vec<_> = found.iter().map(|sql| (sql.line, sql.text.as_str())).collect();
        let expected = [
            (2, "CREATE TABLE a (b text DEFAULT ';')"),
            (5, "COMMENT ON TABLE a IS 'ü;'''"),
            (6, "SELECT $body$ ; $body$, \"a;b\""),
            (8, "DROP INDEX CONCURRENTLY IF EXISTS a_b"),
        ];
        assert_eq!(texts, expected);
        assert_eq!(found[0].comments, ["Why; not."]);
        assert_eq!(found[3].comments, ["the end"]);
        assert!(found[3].is_concurrent && !found[0].is_concurrent);
        assert!(found.iter().all(|sql| sql.parsed.is_some()), "{found:?}");
    }

    #[test]
    fn what_the_parser_does_not_know_is_still_a_statement() {
        let found = statements("CLUSTER a USING b; SELECT 1").unwrap();
        assert_eq!((found[0].text.as_str(), found[0].parsed.is_none()), ("CLUSTER a USING b", true));
        assert_eq!(found.len(), 2);
        assert!(statements("SELECT 'open").is_err());
    }
}
