//! The form in which names are compared when answers are judged: lower case, without accents and
//! punctuation. Written apart from the index's own folding, over the letters of our words alone, so
//! that a fault there doesn't hide here.

/// Letters with marks and what people type instead.
const MARKED: &[(&str, &str)] = &[
    ("áàâäãåāąảạăắằẳẵặấầẩẫậ", "a"),
    ("éèêëěęẻẽẹếềểễệ", "e"),
    ("íìîïıỉĩị", "i"),
    ("óòôöõøőỏọốồổỗộơớờởỡợ", "o"),
    ("úùûüůűủũụưứừửữự", "u"),
    ("ýỳỷỹỵ", "y"),
    ("çćč", "c"),
    ("ñńň", "n"),
    ("śşš", "s"),
    ("źżž", "z"),
    ("łľ", "l"),
    ("ğ", "g"),
    ("řŕ", "r"),
    ("ďđð", "d"),
    ("ť", "t"),
    ("ß", "ss"),
    ("æ", "ae"),
    ("œ", "oe"),
    ("þ", "th"),
    ("ё", "е"),
    ("ά", "α"),
    ("έ", "ε"),
    ("ή", "η"),
    ("ί", "ι"),
    ("ό", "ο"),
    ("ύ", "υ"),
    ("ώ", "ω"),
    ("ς", "σ"),
    ("أإآ", "ا"),
    ("ى", "ي"),
];

/// Vowel signs of Arabic, and what makes an emoji of a sign.
fn is_dropped(char: char) -> bool {
    matches!(char, '\u{64b}'..='\u{65f}' | '\u{307}' | '\u{fe0f}')
}

fn unmarked(char: char) -> Option<&'static str> {
    let row = MARKED.iter().find(|(marked, _)| marked.contains(char));
    row.map(|(_, plain)| *plain)
}

/// A text in lower case and without accents, as a hurried listener types it.
pub fn without_accents(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for char in text.chars().flat_map(char::to_lowercase) {
        match unmarked(char) {
            _ if char.is_ascii() => plain.push(char),
            _ if is_dropped(char) => {}
            Some(unmarked) => plain.push_str(unmarked),
            None => plain.push(char),
        }
    }
    plain
}

/// The same without punctuation, words a space apart.
pub fn plain(text: &str) -> String {
    let unmarked = without_accents(text).replace(['\'', '’'], "");
    let is_between = |char: char| char.is_whitespace() || PUNCTUATION.contains(char);
    let words = unmarked.split(is_between).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

const PUNCTUATION: &str = "()[]-.,&!?/:\"・";

#[cfg(test)]
mod tests {
    use super::{plain, without_accents};

    #[test]
    fn of_a_name_what_is_typed_in_a_hurry_remains() {
        assert_eq!(
            plain("Don’t Stop (Live at Café Lune)"),
            "dont stop live at cafe lune"
        );
        assert_eq!(plain("Straße & Ёлка"), "strasse елка");
        assert_eq!(without_accents("Ήλιος, Łąka ❤️"), "ηλιοσ, laka ❤");
    }
}
