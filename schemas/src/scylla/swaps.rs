//! Statements that compare and set (lightweight transactions): for rows of blobs alone. They carry
//! no stamp, since the cluster gives them an order of its own, and are never mixed with other
//! writes of the same table.

use scylla::value::CqlValue;

/// A statement, by name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Swap {
    /// Writes a row where there is none.
    Create,
    /// Writes a row over a revision.
    Replace,
    /// Takes a revision away.
    Remove,
    /// What a row has come to, once all that was begun has ended.
    Read,
}

/// What one came to.
pub struct Swapped {
    /// The answer's first row.
    pub columns: Vec<Option<CqlValue>>,
    /// Whether it was sent once: then nothing of it can have been done without being answered.
    pub is_first: bool,
}

impl Swap {
    /// All of them.
    pub const ALL: &[Swap] = &[Swap::Create, Swap::Replace, Swap::Remove, Swap::Read];

    /// Its text in CQL.
    pub const fn text(self) -> &'static str {
        match self {
            Swap::Create => {
                "INSERT INTO blobs (cid, revision, stamp, writer, cell)
                VALUES (?, ?, ?, ?, ?) IF NOT EXISTS"
            }
            Swap::Replace => {
                "UPDATE blobs SET revision = ?, stamp = ?, writer = ?, cell = ?
                WHERE cid = ? IF revision = ?"
            }
            Swap::Remove => "DELETE FROM blobs WHERE cid = ? IF revision = ?",
            Swap::Read => "SELECT writer FROM blobs WHERE cid = ?",
        }
    }

    /// Whether it changes nothing.
    pub const fn is_read(self) -> bool {
        matches!(self, Swap::Read)
    }
}

impl Swapped {
    /// Whether the comparison held, and all was written.
    pub fn took(&self) -> bool {
        matches!(self.columns.first(), Some(Some(CqlValue::Boolean(true))))
    }

    /// The first column, a text.
    pub fn text(&self) -> Option<&str> {
        match self.columns.first() {
            Some(Some(CqlValue::Text(text))) => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Network state is written without them.
    #[test]
    fn i13_only_rows_of_blobs_are_compared_and_set() {
        for swap in Swap::ALL {
            let words: Vec<&str> = swap.text().split_whitespace().collect();
            let table = words.iter().position(|word| {
                let before = ["INTO", "UPDATE", "FROM"];
                before.contains(word)
            });
            assert_eq!(words[table.unwrap() + 1], "blobs", "{swap:?}");
            assert!(!words.contains(&"TIMESTAMP"), "{swap:?}");
            assert_eq!(words.contains(&"IF"), !swap.is_read(), "{swap:?}");
        }
    }
}
