//! Names and titles, invented by putting words together: of nobody who lives or lived.

use crate::dice::Dice;

const COLOURS: [&str; 24] = [
    "Velvet", "Amber", "Hollow", "Silver", "Paper", "Quiet", "Copper", "Lunar", "Broken",
    "Northern", "Electric", "Slow", "Crooked", "Glass", "Wild", "Second", "Marble", "Distant",
    "Golden", "Feral", "Pale", "Salt", "Neon", "Rusted",
];
const THINGS: [&str; 24] = [
    "Harbor",
    "Lantern",
    "Orchard",
    "Signal",
    "Meridian",
    "Thicket",
    "Foundry",
    "Tideline",
    "Archive",
    "Parade",
    "Weather",
    "Antenna",
    "Bicycle",
    "Observatory",
    "Causeway",
    "Juniper",
    "Static",
    "Carousel",
    "Aviary",
    "Estuary",
    "Ladder",
    "Monsoon",
    "Quarry",
    "Beacon",
];
const ENSEMBLES: [&str; 8] = ["", "", "", "", "Ensemble", "Trio", "Society", "Collective"];
const DOING: [&str; 16] = [
    "Waiting for",
    "Leaving",
    "Under",
    "Song for",
    "Return to",
    "Beyond",
    "Letters from",
    "Above",
    "Counting",
    "Inside",
    "Goodnight,",
    "Dancing at",
    "Lost in",
    "Waltz of",
    "Half of",
    "After",
];
const PLACES: [&str; 20] = [
    "the Pier",
    "Winter",
    "Room Nine",
    "the Delta",
    "Tomorrow",
    "the Orchard",
    "Gravity",
    "the Last Train",
    "Low Tide",
    "the Radio",
    "Eleven O’Clock",
    "the Attic",
    "Blue Hour",
    "the Overpass",
    "Everything",
    "Small Hours",
    "the Ferry",
    "Nothing Much",
    "the Stairwell",
    "Mercury",
];
/// Titles in other scripts, with what search and slugs stumble over.
const ELSEWHERE: [&str; 12] = [
    "夜の電車",
    "雨のあと",
    "겨울 바다",
    "Тихий океан",
    "Ελαφρύ φως",
    "موج البحر",
    "Ñandú & Söhne",
    "Ça ira, l’été",
    "🎹 study no. 2",
    "Zürich – São Paulo",
    "ไฟกลางคืน",
    "לילה בעיר",
];
const SUFFIXES: [&str; 8] = [
    "",
    "",
    "",
    "",
    " (live)",
    " (demo)",
    " (reprise)",
    " – remaster",
];
const SAYINGS: [&str; 20] = [
    "that bass line!",
    "this part, every time",
    "who plays the keys here?",
    "on repeat all week",
    "turn it up",
    "the silence before this is everything",
    "how is this so short",
    "goosebumps right here",
    "wait for it…",
    "best bridge this year",
    "sounds like rain",
    "headphones recommended",
    "my cat hates this part",
    "pure joy",
    "❤️",
    "🔥🔥🔥",
    "is that a harmonium?",
    "mixed so well",
    "この音が好き",
    "encore!",
];
const BIOS: [&str; 12] = [
    "Tape loops and tea.",
    "Writing songs between two trains.",
    "Modular synths, mostly at night.",
    "Field recordings, slowed down.",
    "Three chords and a drum machine.",
    "I collect old reverbs.",
    "Listener first, player second.",
    "Home-made music for long walks.",
    "Choir of one.",
    "Bass, bicycle, bread.",
    "Noise, but kind.",
    "Making small sounds since the last storm.",
];
/// What tracks are filed under.
pub const TAGS: [&str; 16] = [
    "ambient",
    "electronic",
    "folk",
    "jazz",
    "lo-fi",
    "techno",
    "field recording",
    "piano",
    "drum & bass",
    "hip-hop/rap",
    "live",
    "demo",
    "instrumental",
    "choir",
    "drone",
    "ai",
];
const GENRES: [&str; 10] = [
    "Ambient",
    "Electronic",
    "Folk",
    "Jazz",
    "Techno",
    "Classical",
    "Experimental",
    "Pop",
    "Rock",
    "Hip-Hop",
];
const MOODS: [&str; 8] = [
    "Night Studies",
    "First Takes",
    "The Long Way Home",
    "Kitchen Tapes",
    "Weather Reports",
    "Small Rooms",
    "Nine Sketches",
    "Unsent Letters",
];

/// The name of an act or of a listener.
pub fn name(dice: &mut Dice) -> String {
    let (colour, thing) = (dice.one(&COLOURS), dice.one(&THINGS));
    match dice.one(&ENSEMBLES) {
        "" => format!("{colour} {thing}"),
        ensemble => format!("{colour} {thing} {ensemble}"),
    }
}

/// The handle of a name, which `number` makes the only one of its kind.
pub fn handle(name: &str, number: usize) -> String {
    let letters = |word: &str| word.to_lowercase();
    let words: Vec<String> = name.split(' ').take(2).map(letters).collect();
    format!("{}-{number}.test", words.join("-"))
}

/// A track's title.
pub fn title(dice: &mut Dice) -> String {
    if dice.once_in(8) {
        return dice.one(&ELSEWHERE).to_owned();
    }
    let (doing, place) = (dice.one(&DOING), dice.one(&PLACES));
    format!("{doing} {place}{}", dice.one(&SUFFIXES))
}

/// An album's or a playlist's name.
pub fn collection(dice: &mut Dice) -> String {
    match dice.below(3) {
        0 => dice.one(&MOODS).to_owned(),
        1 => format!("{} {}", dice.one(&COLOURS), dice.one(&THINGS)),
        _ => title(dice),
    }
}

/// What somebody says about a moment of a track.
pub fn saying(dice: &mut Dice) -> &'static str {
    dice.one(&SAYINGS)
}

/// A few words about oneself.
pub fn bio(dice: &mut Dice) -> &'static str {
    dice.one(&BIOS)
}

/// Up to four tags, each once.
pub fn tags(dice: &mut Dice) -> Vec<&'static str> {
    let mut tags = Vec::new();
    for _ in 0..dice.below(5) {
        let tag = dice.one(&TAGS);
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

/// A genre.
pub fn genre(dice: &mut Dice) -> &'static str {
    dice.one(&GENRES)
}
