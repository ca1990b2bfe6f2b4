//! Words that titles and names are made of, one list for each part of speech and script.

pub const ADJECTIVES: &[&str] = &[
    "Golden", "Silent", "Broken", "Electric", "Distant", "Hollow", "Crimson", "Velvet", "Frozen",
    "Burning", "Lonely", "Midnight", "Paper", "Neon", "Wild", "Gentle", "Restless", "Faded",
    "Bitter", "Sweet", "Heavy", "Weightless", "Sleepless", "Careless", "Endless", "Fearless",
    "Blue", "Red", "Green", "Yellow", "Black", "White", "Silver", "Copper", "Amber", "Violet",
    "Northern", "Southern", "Eastern", "Western", "Early", "Late", "Slow", "Quick", "Quiet",
    "Loud", "Bright", "Dim", "Pale", "Deep", "Shallow", "High", "Low", "Old", "New", "Young",
    "Ancient", "Modern", "Second", "Third", "Last", "First", "Hidden", "Open", "Secret", "Honest",
    "Crooked", "Straight", "Tender", "Rough", "Smooth", "Sudden", "Tidal", "Lunar", "Solar",
    "Stellar", "Magnetic", "Analog", "Digital", "Concrete", "Wooden", "Iron", "Glass", "Marble",
    "Dusty", "Rainy", "Snowy", "Windy", "Sunlit", "Moonlit", "Feral", "Tame", "Sacred", "Profane",
    "Perfect", "Plastic", "Borrowed", "Stolen", "Forgotten", "Unwritten", "Ordinary", "Peculiar",
];
pub const NOUNS: &[&str] = &[
    "River", "Mountain", "Ocean", "Desert", "Forest", "Valley", "Island", "Harbor", "Bridge",
    "Tower", "Garden", "Window", "Mirror", "Shadow", "Lantern", "Candle", "Fire", "Ember",
    "Smoke", "Ash", "Rain", "Storm", "Thunder", "Lightning", "Cloud", "Sky", "Star", "Moon",
    "Sun", "Comet", "Planet", "Orbit", "Signal", "Static", "Radio", "Satellite", "Machine",
    "Engine", "Motor", "Highway", "Railway", "Station", "Platform", "Ticket", "Letter",
    "Postcard", "Photograph", "Memory", "Dream", "Nightmare", "Morning", "Evening", "Night",
    "Winter", "Summer", "Autumn", "Spring", "Season", "Year", "Hour", "Minute", "Heart", "Hand",
    "Eye", "Voice", "Breath", "Bone", "Blood", "Skin", "Ghost", "Angel", "Devil", "Saint",
    "Stranger", "Lover", "Friend", "Brother", "Sister", "Mother", "Father", "Daughter", "King",
    "Queen", "Soldier", "Sailor", "Dancer", "Singer", "Painter", "Poet", "Thief", "Wolf", "Fox",
    "Raven", "Sparrow", "Swallow", "Heron", "Whale", "Tiger", "Horse", "Spider", "Butterfly",
    "Moth", "Rose", "Lily", "Thistle", "Willow", "Cedar", "Maple", "Apple", "Honey", "Sugar",
    "Salt", "Wine", "Whiskey", "Coffee", "Bread", "Stone", "Diamond", "Pearl", "Feather",
    "Ribbon", "Curtain", "Carousel", "Circus", "Parade", "Festival", "Ballroom", "Basement",
    "Kitchen", "Staircase", "Elevator", "Airport", "Ferry", "Anchor", "Compass", "Map",
    "Territory", "Country", "City", "Suburb", "Village", "Street", "Avenue", "Corner", "Alley",
    "Market", "Museum", "Library", "Cathedral", "Chapel", "Temple", "Palace", "Castle", "Prison",
    "Circle", "Line", "Spiral", "Echo", "Silence", "Melody", "Harmony", "Rhythm", "Chorus",
    "Lullaby", "Anthem", "Waltz", "Tango", "Blues", "Hymn", "Sermon", "Promise", "Secret",
    "Rumor", "Truth", "Lie", "Reason", "Season", "Treason", "Fortune", "Accident", "Miracle",
    "Disaster", "Weather", "Gravity", "Velocity", "Horizon", "Meridian", "Equator", "Tundra",
    "Prairie", "Canyon",
];
pub const VERBS: &[&str] = &[
    "Follow", "Leave", "Hold", "Break", "Burn", "Chase", "Carry", "Forget", "Remember", "Find",
    "Lose", "Save", "Call", "Tell", "Show", "Take", "Give", "Keep", "Bury", "Build", "Climb",
    "Cross", "Catch", "Drown", "Feel", "Fight", "Haunt", "Hear", "Kiss", "Lead", "Miss", "Need",
    "Paint", "Pull", "Push", "Read", "Ride", "Ring", "Sing", "Steal", "Stop", "Teach", "Thank",
    "Trust", "Wake", "Want", "Warn", "Watch", "Write", "Believe", "Forgive", "Surrender",
];
pub const PLACES: &[&str] = &[
    "the Old Mill", "Harbor Hall", "the Glass House", "Radio Nord", "Pier Nine", "the Cellar",
    "Cedar Park", "the Lighthouse", "Union Depot", "Café Lune", "the Round Room", "Studio Zwei",
];
pub const TAGS: &[&str] = &[
    "ambient", "hip hop", "jazz", "house", "techno", "drum and bass", "lo-fi", "synthwave",
    "shoegaze", "post-rock", "folk", "bluegrass", "dub", "reggae", "dancehall", "afrobeat",
    "highlife", "cumbia", "salsa", "bossa nova", "samba", "fado", "flamenco", "chanson",
    "schlager", "krautrock", "city pop", "j-pop", "k-pop", "cantopop", "enka", "trot", "gqom",
    "amapiano", "kizomba", "zouk", "soca", "calypso", "gospel", "soul", "funk", "disco", "r&b",
    "trap", "drill", "grime", "garage", "jungle", "breakcore", "noise", "drone",
    "field recording", "spoken word", "soundtrack", "chiptune", "vaporwave", "hyperpop", "emo",
    "punk", "hardcore", "metal", "doom metal", "black metal", "grunge", "surf rock", "indie rock",
    "dream pop", "ai-generated", "русский рок", "música popular", "日本語ラップ", "발라드",
];
/// Titles and names of words that an index might think too common to keep, of made-up and of
/// everyday phrases.
pub const STOP_WORDS: &[&str] = &[
    "The The", "It Is", "To Be", "On and On", "Who Is It", "And Then", "All of It",
    "This and That", "Me and You", "As If", "As It Was Then", "The One", "Not Now",
    "Now and Then", "If Not for You", "Over and Over", "By the By", "In and Out", "So What of It",
    "Why Not", "What If", "No One", "Them", "Us and Them All", "Here and There", "Or Not to Be",
    "Is It You", "From Me to Him", "We Are", "I Am", "You Too", "Be", "An Other", "Out of the In",
    "Up and Up", "Where Were We", "Do It", "Off and On", "Just a", "Too", "The", "Of The", "And",
    "Her and I", "That Is That",
];
pub const LETTERS: &[&str] = &[
    "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S",
    "T", "U", "V", "W", "X", "Y", "Z", "Я", "Ж", "Э", "Ω", "Ψ", "Λ", "É", "Ø", "7", "4",
];
pub const EMOJI: &[&str] = &[
    "🔥", "❤️", "🌊", "🌙", "✨", "🦋", "🌹", "🍒", "🥀", "🌈", "⚡", "☀️", "🌵", "🐚", "🎈", "🕯️", "🪐", "🍄",
    "🐺", "🦊", "🌻", "💀", "👑", "🚀", "🧊", "🎡", "📼", "🕊️", "🌪️", "🍀",
];
/// Latin words with accents, of several languages.
pub const ACCENTED_NOUNS: &[&str] = &[
    "Corazón", "Canción", "Mañana", "Niño", "Árbol", "Océano", "Lágrima", "Ilusión", "Razón",
    "Été", "Forêt", "Lumière", "Rêve", "Fenêtre", "Étoile", "Âme", "Garçon", "Poème", "Cœur",
    "Nächte", "Mädchen", "Träume", "Straße", "Frühling", "Grüße", "Öl", "Schönheit", "Küste",
    "Saudade", "Coração", "Manhã", "Solidão", "Verão", "Irmã", "Água", "Avó", "Canção", "Luz",
    "Łąka", "Miłość", "Świt", "Żal", "Ćma", "Księżyc", "Źródło", "Dźwięk", "Růže", "Měsíc", "Čas",
    "Říjen", "Güneş", "Şarkı", "Yağmur", "Gölge", "Çiçek", "Ölüm", "Sjö", "Måne", "Ängel", "Ø",
    "Kjærlighet", "Blåbær", "Sólin", "Þoka", "Đêm", "Nắng", "Mưa", "Tình", "Gió", "Perché",
];
pub const ACCENTED_ADJECTIVES: &[&str] = &[
    "Perdido", "Último", "Frágil", "Mágica", "Única", "Éternel", "Légère", "Brisé", "Fatiguée",
    "Schön", "Müde", "Süß", "Grün", "Só", "Difícil", "Trágico", "Invisível", "Ostatni", "Piękna",
    "Zły", "Černá", "Zlatý", "Güzel", "Büyük", "Kırık", "Sista", "Blå", "Grå", "Xanh", "Cũ",
];
pub const CYRILLIC_NOUNS: &[&str] = &[
    "Ночь", "Река", "Ветер", "Снег", "Дождь", "Звезда", "Город", "Поезд", "Май", "Чай", "Край",
    "Берёза", "Ёлка", "Полёт", "Мёд", "Сон", "Письмо", "Улица", "Окно", "Тень", "Огонь", "Дом",
    "Море", "Песня", "Любовь", "Зима", "Лето", "Вечер", "Трамвай", "Герой", "Війна", "Ніч",
    "Їжак", "Вітер", "Сърце", "Река",
];
pub const CYRILLIC_ADJECTIVES: &[&str] = &[
    "Белый", "Чёрный", "Тёмный", "Зелёный", "Последний", "Первый", "Тихий", "Далёкий", "Синий",
    "Холодный", "Золотой", "Вечный", "Старый", "Новый", "Северный", "Лёгкий", "Пустой", "Живой",
];
pub const GREEK_NOUNS: &[&str] = &[
    "Θάλασσα", "Νύχτα", "Αγάπη", "Βροχή", "Φεγγάρι", "Ουρανός", "Καρδιά", "Δρόμος", "Ήλιος",
    "Άνεμος", "Όνειρο", "Ψυχή", "Χειμώνας", "Καλοκαίρι", "Σκιά", "Φωτιά", "Λιμάνι", "Τραγούδι",
    "Σιωπή", "Πόλη", "Χρόνος", "Ρυθμός",
];
pub const ARABIC_NOUNS: &[&str] = &[
    "أغنية", "ليل", "قمر", "بحر", "إحساس", "أمل", "آخر", "نور", "شمس", "مطر", "قلب", "حب",
    "مدينة", "طريق", "صحراء", "وردة", "حُلم", "عُمر", "ذكرى", "موسيقى", "سماء", "ريح", "أيام",
    "إنسان", "صوت",
];
pub const ARABIC_ADJECTIVES: &[&str] = &[
    "الأخير", "الجميل", "البعيد", "الأزرق", "القديم", "الحزين", "الأول", "الطويل", "الهادئ",
];
pub const HAN_WORDS: &[&str] = &[
    "夜空", "月光", "大海", "风雨", "星河", "城市", "故事", "时间", "远方", "春天", "秋天", "冬夜", "花火", "雪山", "流年",
    "青春", "梦境", "孤岛", "天空", "河流", "黎明", "黄昏", "列车", "玫瑰", "影子", "声音", "火焰", "海岸", "沙漠", "森林",
    "飞鸟", "灯塔", "信号", "房间", "窗外", "旧城", "長夜", "電車", "愛情", "夢想",
];
pub const HAN_SINGLES: &[&str] = &[
    "夜", "月", "海", "风", "雨", "星", "雪", "花", "梦", "火", "光", "影", "山", "心", "天", "路",
];
pub const KATAKANA: &[&str] = &[
    "ドライブ", "メロディー", "サマー", "ナイト", "ガラス", "ロケット", "ラジオ", "ダンス", "パレード", "シグナル", "レモン", "オレンジ",
    "ピアノ", "ギター", "トンネル", "ブルー", "スター", "カメラ", "プラネット", "エレベーター", "ジャズ", "ポスト",
];
pub const JAPANESE_WORDS: &[&str] = &[
    "夜", "夏", "冬", "海辺", "花束", "涙", "約束", "さくら", "ひかり", "ゆめ", "そら", "かぜ", "雨音", "手紙", "青空", "朝焼け",
    "月", "僕ら", "君", "きみ", "ふたり", "街角", "電車", "星屑",
];
pub const HANGUL_WORDS: &[&str] = &[
    "사랑", "밤하늘", "바다", "바람", "별빛", "달빛", "노래", "기억", "시간", "여름", "겨울밤", "봄날", "가을", "도시", "거리",
    "눈물", "꿈속", "약속", "우리", "그대", "하루", "새벽", "라디오", "기차", "파도", "불꽃", "그림자", "고백", "편지", "소나기",
    "하늘", "숲",
];
/// Syllables of coined names.
pub const SYLLABLES: &[&str] = &[
    "va", "lo", "mi", "rek", "tu", "sen", "dra", "pho", "ki", "zan", "bel", "or", "nu", "fex",
    "ti", "gal", "mo", "ry", "sha", "lin", "qua", "do", "ver", "ost", "pi", "cas", "hu", "jem",
    "wren", "ula", "bri", "nok", "eth", "sol", "gri", "ama", "tek", "yo", "lus", "iri", "pan",
    "ze", "kor", "hal", "mun", "cy", "tal", "or", "fin", "dun", "sai", "bo", "xa", "leph", "ner",
];
pub const ACCENTED_SYLLABLES: &[&str] = &[
    "ré", "lû", "mä", "çi", "ñor", "sø", "tå", "vé", "żo", "łu", "bö", "ía", "ção", "dź", "ğan",
    "rě", "šu", "ži", "nà", "þe", "ma", "lo", "ri", "ta", "ne", "vi",
];
pub const CYRILLIC_SYLLABLES: &[&str] = &[
    "ва", "лё", "ми", "рек", "ту", "сен", "дра", "жу", "зан", "бел", "ор", "ный", "ти", "га",
    "мо", "ши", "ля", "до", "ве", "пи", "ща", "й", "ко",
];
pub const GREEK_SYLLABLES: &[&str] = &[
    "βα", "λό", "μι", "ρέ", "του", "σε", "δρα", "φω", "κι", "ζά", "βελ", "ορ", "νής", "ξε", "θά",
];
pub const ARABIC_SYLLABLES: &[&str] = &[
    "با", "لو", "مي", "را", "تو", "سي", "دا", "فو", "كي", "زا", "نو", "شا", "ها",
];
pub const KATAKANA_SYLLABLES: &[&str] = &[
    "バ", "ロ", "ミ", "レ", "ツ", "セ", "ド", "ファ", "キ", "ザ", "ベ", "ル", "ヌ", "ガ", "ラ", "ン", "ー",
];
pub const HANGUL_SYLLABLES: &[&str] = &[
    "바", "로", "미", "렉", "투", "센", "드", "포", "키", "잔", "벨", "누", "갈", "모", "린", "솔",
];
