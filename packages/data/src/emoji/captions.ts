import { integerBelow, shuffled } from '@dalle-mini/core';
import type { EmojiVariant, EmojiVendor } from './icons.js';

/** Largest number of captions per picture. */
export const captionLimit = 12;

/** Tags that nobody would type to describe a picture: chat abbreviations, slang, and numbers used as words. */
const unusableTags: ReadonlySet<string> = new Set(
  (
    '... 143 adorbs af afro aww awk babe bae bc bday bestest bet bff brb brr bro bruh bs btw bs cmon cya deg dope dua dunno dupe ' +
    'epic fail feels fleek fml fosho g2g geez gonna gotta gtg haha hahaha hehe hm hmm homie huh idk ily jeez jel jelly jk lewd lit ' +
    'lmao lol mhm mrs muah mwah mx nah nooo nope omg omw oops ooo pga pissed rofl roflmao s slay smh soz stan sucks tbt thx tmi tsk ' +
    'ttfn ttyl ugh uhh uh um usually wth wtf wtv xoxo yaas yay yikes yo yolo yup zap ass booze lust sexy stinks turd whatever what why not ' +
    'the this that just like here please literally seriously i’m oh ok okay ew eek uneven at as u oc job hard lick blow fart ugly high'
  ).split(' '),
);

/** Feelings that describe a smiley or a cat: `<feeling> face`. */
const feelings: ReadonlySet<string> = new Set(
  (
    'happy sad angry mad tired sick ill scared surprised shocked cool cheerful cheery funny silly crazy goofy zany nervous stressed ' +
    'embarrassed excited sleepy bored hungry hot cold drunk dizzy confused worried anxious afraid fearful annoyed frustrated ' +
    'disappointed upset unhappy depressed exhausted evil smart clever rich proud relieved grateful peaceful innocent shy silent quiet ' +
    'curious thoughtful skeptical suspicious smug sarcastic disgusted nauseated shocked stunned amazed astonished sorry guilty lonely ' +
    'heartbroken romantic loving angelic devilish mischievous furious enraged weird awkward serious neutral gloomy hurt injured ' +
    'freezing sweating crying laughing smiling grinning frowning yawning winking kissing screaming sneezing vomiting sleeping weary'
  ).split(' '),
);

/** Uncountable nouns, which take no `a`; plurals are recognized by their ending. */
const uncounted: ReadonlySet<string> = new Set(
  (
    'coral bread bacon broccoli garlic popcorn butter salt sushi spaghetti candy custard sake ice wood fire rain fog water tennis ' +
    'baseball softball basketball volleyball bowling lacrosse badminton yarn thread dna soap milk food camping construction foggy ' +
    'mate cooking luggage wedding oden dango fondue falafel corn rice mail hockey pong football x-ray ZZZ liquid clothes lightning ' +
    'snow voltage dizzy way biceps landslide meridians racing polish heart-eyes NO OK star-struck'
  ).split(' '),
);

/** Singular words that end in `-s`. */
const singularInS: ReadonlySet<string> = new Set(
  'bus trolleybus minibus compass dress cross lotus octopus cactus hibiscus abacus rhinoceros hippopotamus'.split(' '),
);

/** Phrases that have an article or take none: numbers, actions, times and proper names. */
const unarticled =
  /^(two |(the|a|an|no|not|mount|people|men|women|rolling|dashing|thumbs|index|backhand|breast|flower playing|flag of)\b)|o’clock$|thirty$|^(un)?locked|together$/;

/** Symbols that are nouns and take `a`; the others are words or actions, such as `multiply`. */
const symbolNouns =
  /(circle|square|diamond|triangle|button|arrow|sign|symbol|mark|star|cross|loop|asterisk|box|emblem|badge|menorah|dash)$/;

const colors = 'red orange yellow green blue purple pink brown black white grey'.split(' ');

const templates = [
  'a picture of X',
  'a drawing of X',
  'an emoji of X',
  'an icon of X',
  'X emoji',
  'X on a white background',
];

/** Emoji whose drawing in some sets differs from their label of today. */
const drawnOtherwise: Readonly<Record<string, { readonly label: string; readonly vendors: readonly EmojiVendor[] }>> = {
  'water pistol': { label: 'pistol', vendors: ['noto-v1', 'fxemoji', 'emojione'] },
};

/** Adjectives of countries, by label, for captions of flags. */
const nationalities: Readonly<Record<string, string>> = {
  Argentina: 'Argentine',
  Australia: 'Australian',
  Austria: 'Austrian',
  Belgium: 'Belgian',
  Brazil: 'Brazilian',
  Bulgaria: 'Bulgarian',
  Canada: 'Canadian',
  Chile: 'Chilean',
  China: 'Chinese',
  Colombia: 'Colombian',
  Croatia: 'Croatian',
  Cuba: 'Cuban',
  Czechia: 'Czech',
  Denmark: 'Danish',
  Egypt: 'Egyptian',
  England: 'English',
  Ethiopia: 'Ethiopian',
  Finland: 'Finnish',
  France: 'French',
  Germany: 'German',
  Greece: 'Greek',
  Hungary: 'Hungarian',
  Iceland: 'Icelandic',
  India: 'Indian',
  Indonesia: 'Indonesian',
  Iran: 'Iranian',
  Iraq: 'Iraqi',
  Ireland: 'Irish',
  Israel: 'Israeli',
  Italy: 'Italian',
  Jamaica: 'Jamaican',
  Japan: 'Japanese',
  Kenya: 'Kenyan',
  Mexico: 'Mexican',
  Morocco: 'Moroccan',
  Netherlands: 'Dutch',
  Nigeria: 'Nigerian',
  'North Korea': 'North Korean',
  Norway: 'Norwegian',
  Pakistan: 'Pakistani',
  Peru: 'Peruvian',
  Poland: 'Polish',
  Portugal: 'Portuguese',
  Romania: 'Romanian',
  Russia: 'Russian',
  Scotland: 'Scottish',
  Serbia: 'Serbian',
  Slovakia: 'Slovak',
  Slovenia: 'Slovenian',
  'South Africa': 'South African',
  'South Korea': 'South Korean',
  Spain: 'Spanish',
  Sweden: 'Swedish',
  Switzerland: 'Swiss',
  Thailand: 'Thai',
  Türkiye: 'Turkish',
  Ukraine: 'Ukrainian',
  'United Kingdom': 'British',
  'United States': 'American',
  Vietnam: 'Vietnamese',
  Wales: 'Welsh',
};

/**
 * Other words that people would type for an emoji, by its label. Colors are left out, because they differ between sets.
 */
const paraphrases: Readonly<Record<string, readonly string[]>> = {
  pizza: ['a slice of pizza', 'pizza slice'],
  rocket: ['rocket flying', 'a rocket flying into space', 'a spaceship'],
  airplane: ['a plane', 'airplane flying', 'a plane in the sky'],
  helicopter: ['helicopter flying', 'a flying helicopter'],
  'flying saucer': ['a ufo', 'ufo flying'],
  herb: ['green leaf', 'green leaves', 'a plant with green leaves'],
  'leaf fluttering in wind': ['green leaves', 'green leaf in the wind'],
  'maple leaf': ['a leaf', 'autumn leaf'],
  'fallen leaf': ['a leaf', 'autumn leaves'],
  shamrock: ['a clover', 'three leaf clover'],
  seedling: ['a plant', 'a small green plant', 'sprout'],
  'evergreen tree': ['a tree', 'pine tree'],
  'deciduous tree': ['a tree', 'tree'],
  'palm tree': ['a palm', 'tropical tree'],
  hamburger: ['a burger', 'cheeseburger'],
  'french fries': ['a box of fries', 'fries'],
  doughnut: ['a donut', 'donut with icing'],
  'soft ice cream': ['ice cream cone'],
  'ice cream': ['a bowl of ice cream'],
  shortcake: ['a slice of cake', 'strawberry cake'],
  'birthday cake': ['a cake', 'a cake with candles'],
  'hot beverage': ['a cup of coffee', 'a cup of tea', 'coffee'],
  'beer mug': ['a glass of beer', 'beer'],
  'wine glass': ['a glass of wine', 'wine'],
  'clinking beer mugs': ['two beers', 'cheers'],
  'glass of milk': ['milk'],
  'poultry leg': ['chicken leg', 'drumstick'],
  'meat on bone': ['a piece of meat'],
  'cut of meat': ['a steak', 'raw steak'],
  cooking: ['fried egg in a pan', 'a fried egg'],
  'cheese wedge': ['a piece of cheese', 'cheese'],
  'steaming bowl': ['a bowl of noodles', 'ramen'],
  spaghetti: ['a plate of pasta', 'spaghetti with tomato sauce'],
  'green salad': ['a bowl of salad', 'salad'],
  'ear of corn': ['corn', 'corn on the cob'],
  automobile: ['a car', 'car'],
  'oncoming automobile': ['a car', 'car from the front'],
  'sport utility vehicle': ['a car', 'suv', 'jeep'],
  'racing car': ['a race car', 'formula one car'],
  locomotive: ['a steam train', 'train engine'],
  bicycle: ['a bike', 'bike'],
  motorcycle: ['a motorbike', 'motorbike'],
  sailboat: ['a boat', 'a boat with a sail'],
  'delivery truck': ['a truck', 'truck'],
  'articulated lorry': ['a truck', 'big truck'],
  'fire engine': ['a fire truck', 'fire truck with a ladder'],
  house: ['a home', 'a small house'],
  castle: ['european castle', 'a castle with towers'],
  'snow-capped mountain': ['a mountain with snow'],
  volcano: ['a volcano erupting', 'mountain with lava'],
  'beach with umbrella': ['a beach', 'sandy beach with parasol'],
  'desert island': ['a small island with a palm tree', 'tropical island'],
  'night with stars': ['city at night', 'starry night'],
  sunset: ['sun going down over the city'],
  'sunrise over mountains': ['sun rising over the mountains'],
  sunrise: ['sun rising over the sea'],
  'water wave': ['a big wave', 'ocean wave'],
  droplet: ['a drop of water', 'water drop'],
  fire: ['a flame', 'burning flames'],
  'high voltage': ['lightning bolt', 'lightning'],
  sun: ['the sun'],
  'full moon': ['the moon', 'moon'],
  'crescent moon': ['a moon at night', 'moon'],
  star: ['a star in the sky'],
  'globe showing Europe-Africa': ['planet earth', 'the earth', 'world'],
  'globe showing Americas': ['planet earth', 'the earth', 'world'],
  'globe showing Asia-Australia': ['planet earth', 'the earth', 'world'],
  'ringed planet': ['saturn', 'a planet with rings'],
  'mobile phone': ['a smartphone', 'cell phone'],
  laptop: ['a computer', 'a laptop computer'],
  television: ['a tv', 'an old tv'],
  'alarm clock': ['a clock', 'clock'],
  'wrapped gift': ['a present', 'gift box with ribbon'],
  'soccer ball': ['a football', 'black and white ball'],
  'heart with arrow': ['heart pierced by an arrow'],
  'red heart': ['a heart', 'love'],
  'pile of poo': ['poop', 'a smiling poop'],
  'jack-o-lantern': ['halloween pumpkin', 'a carved pumpkin', 'a pumpkin'],
  'light bulb': ['a lamp', 'lightbulb'],
  'video game': ['a game controller', 'gamepad'],
  joystick: ['an arcade joystick'],
  'guide dog': ['a dog with a harness'],
  'baby chick': ['a chick', 'a small bird'],
  'spouting whale': ['a whale', 'a whale spraying water'],
  honeybee: ['a bee', 'bee'],
  'lady beetle': ['a ladybug', 'ladybug'],
  bug: ['a caterpillar', 'caterpillar'],
  turtle: ['a tortoise'],
  'T-Rex': ['a tyrannosaurus', 'a dinosaur', 'dinosaur'],
  sauropod: ['a dinosaur', 'dinosaur with a long neck'],
  'paw prints': ['animal tracks'],
  bouquet: ['a bunch of flowers', 'flowers'],
  rose: ['a flower', 'flower with a stem'],
  sunflower: ['a flower', 'flower'],
  tulip: ['a flower', 'flower'],
  'cherry blossom': ['a flower', 'flower'],
  blossom: ['a flower', 'flower'],
  hibiscus: ['a flower', 'flower'],
  mushroom: ['a toadstool', 'mushroom with spots'],
  'gem stone': ['a diamond', 'jewel'],
  'money bag': ['a bag of money'],
  'crossed swords': ['two swords'],
  dagger: ['a sword', 'a knife'],
  'bow and arrow': ['archery bow'],
  necktie: ['a tie', 'shirt and tie'],
  't-shirt': ['a shirt', 'shirt'],
  jeans: ['trousers', 'pants'],
  'graduation cap': ['a square academic hat'],
  'top hat': ['a hat', 'tall hat'],
  'high-heeled shoe': ['a shoe', 'high heels'],
  'running shoe': ['a shoe', 'a sneaker', 'sports shoe'],
  umbrella: ['an open umbrella'],
  'umbrella with rain drops': ['umbrella in the rain'],
  snowman: ['a snowman in the snow'],
  'magnifying glass tilted left': ['a magnifying glass'],
  'magnifying glass tilted right': ['a magnifying glass'],
  'floppy disk': ['a diskette'],
  locked: ['a padlock', 'closed lock'],
  unlocked: ['an open padlock'],
  key: ['a key to a door'],
  'artist palette': ['paint palette with colors'],
  'musical keyboard': ['a piano', 'piano keys'],
  'thumbs up': ['thumb up'],
  'waving hand': ['a hand waving'],
  'folded hands': ['praying hands'],
  'flexed biceps': ['a strong arm', 'muscle'],
  'victory hand': ['peace sign'],
  'skull and crossbones': ['pirate skull'],
};

/** Words for the style of a set. */
const styles: Partial<Record<EmojiVendor, string>> = {
  'fluent-emoji': '3d style',
  'fluent-emoji-flat': 'flat style',
  twemoji: 'flat style',
};

const groups = { smileys: 0, people: 1, animals: 3, food: 4, travel: 5, activities: 6, objects: 7, symbols: 8 };
const subgroups = { catFaces: 12, countryFlags: 98, subdivisionFlags: 99 };
const toneNames = ['', 'light', 'medium-light', 'medium', 'medium-dark', 'dark'];

/** Checks whether an emoji's label takes `an`. */
function beginsWithVowelSound(phrase: string): boolean {
  if (/^(uni|euro|ewe|one\b|ufo|u\b)/i.test(phrase)) return false;
  return /^([aeiou]|hour|honest|x-|[FHLMNRSX]\b|ATM|NG|SOS)/i.test(phrase);
}

/** Puts `a` or `an` before a phrase that names one thing. Returns `undefined` if neither is grammatical. */
function withArticle(phrase: string): string | undefined {
  const head = phrase
    .split(/ (?:with|of|without|in|on|over|behind|showing|at|holding|from|facing|pointed|to) /)[0]!
    .replace(/ (pointing|curving|getting|taking|wearing|playing|gesturing|raising|tipping|feeding|lifting) .*/, '');
  const noun = head.split(' ').at(-1)!;
  const plural = /s$/.test(noun) && !/ss$/.test(noun) && !singularInS.has(noun);
  if (plural || uncounted.has(noun)) return undefined;
  if (/^[A-Z0-9]/.test(phrase) && !/ (button|arrow|sign|hand|medal|castle)$/.test(phrase)) return undefined;
  if (unarticled.test(phrase)) return undefined;
  return `${beginsWithVowelSound(phrase) ? 'an' : 'a'} ${phrase}`;
}

/** Joins the members that a label lists: `woman, man and boy`. */
function enumerate(members: readonly string[]): string {
  return members.length < 2 ? members.join('') : `${members.slice(0, -1).join(', ')} and ${members.at(-1)}`;
}

/** Returns the label as people speak it: `flag of Japan`, `man with red hair`, `kiss, woman and man`. */
function spokenLabel({ base, vendor }: CaptionedEmoji): string {
  const otherwise = drawnOtherwise[base.label];
  const label = (otherwise?.vendors.includes(vendor) ? otherwise.label : base.label).replace(/ \(blood type\)$/, '');
  const [head, detail] = label.split(': ') as [string, string | undefined];
  if (detail === undefined) return label;
  if (head === 'flag') return `flag of ${detail}`;
  if (head === 'keycap') return `keycap ${detail}`;
  if (head === 'family') return `family of ${enumerate(detail.split(', '))}`;
  if (head === 'kiss' || head === 'couple with heart') return `${head}, ${enumerate(detail.split(', '))}`;
  if (detail === 'facing right') return `${head} facing right`;
  if (detail === 'bald') return `bald ${head}`;
  return detail === 'beard' ? `${head} with a beard` : `${head} with ${detail}`;
}

/** Names skin tones: `dark`, or `light and dark` for two people. */
function toneWords(tone: number | readonly number[]): string {
  return [...new Set([tone].flat())].map((index) => toneNames[index]!).join(' and ');
}

/** Returns a word without its ending, to find tags that repeat a word. */
function stem(word: string): string {
  return word.toLowerCase().replace(/(es|s|ing|ed)$/, '');
}

/** Returns the tags that people might type, without repeated words. */
function typedTags({ base }: EmojiVariant): string[] {
  // Emoji of women have the tag `man` if the name of their job contains it, as in `repairman`.
  const seen = new Set(/^wom[ae]n\b/.test(base.label) ? ['man', 'men'] : []);
  return (base.tags ?? []).filter((tag) => {
    const repeats = seen.has(stem(tag));
    seen.add(stem(tag));
    return !repeats && /^[a-z][a-z’ -]+$/.test(tag) && !unusableTags.has(tag);
  });
}

/** Shuffles the tags, in another order for each picture. */
function orderedTags(emoji: CaptionedEmoji): string[] {
  return shuffled(typedTags(emoji), 'tags', `${emoji.vendor}/${emoji.variant.hexcode}`);
}

/** Returns the ordered tags that are not words of the label. */
function addedTags(emoji: CaptionedEmoji, spoken: string): string[] {
  const said = new Set(spoken.split(/[ ,]+/).map(stem));
  return orderedTags(emoji).filter((tag) => !said.has(stem(tag)));
}

/**
 * Checks whether a Unicode name describes the picture, rather than its typography (`BLACK`, `HEAVY`) or several emoji.
 */
function describes(unicodeName: string): boolean {
  return !/,|\b(BLACK|WHITE|HEAVY|MARK|SIGN|SYMBOL|SELECTOR|MODIFIER|LATIN|SQUARED|CIRCLED|IDEOGRAPH|JOINER|EMOJI|COMPONENT)\b/.test(
    unicodeName,
  );
}

/** The properties of a picture that its captions are made of. */
export interface CaptionedEmoji extends EmojiVariant {
  readonly vendor: EmojiVendor;
  /** The name in the Unicode standard, upper case. */
  readonly unicodeName?: string | undefined;
  /** Word for the dominant color of the picture. */
  readonly color?: string | undefined;
}

/**
 * Writes the captions of one picture: at most {@link captionLimit}, all different, the plain label first.
 * Sets and skin tones combine different tags, so that the pictures of one emoji together use most of its tags. The same
 * picture always gets the same captions.
 */
export function emojiCaptions(emoji: CaptionedEmoji): string[] {
  const { base, variant, vendor } = emoji;
  const spoken = spokenLabel(emoji);
  if (variant.tone !== undefined) return finish(tonedCaptions(emoji, spoken, toneWords(variant.tone)));
  if (base.subgroup === subgroups.countryFlags || base.subgroup === subgroups.subdivisionFlags) {
    return finish(flagCaptions(spoken));
  }

  const identity = `${vendor}/${variant.hexcode}`;
  const tags = orderedTags(emoji);
  const added = addedTags(emoji, spoken);
  const article = base.group !== groups.symbols || symbolNouns.test(spoken) ? withArticle(spoken) : undefined;

  const captions: (string | undefined)[] = [spoken, article];
  captions.push(...subjectCaptions(emoji, spoken, added));
  captions.push(...colorCaptions(emoji, spoken));
  const standardName = emoji.unicodeName && describes(emoji.unicodeName) ? emoji.unicodeName.toLowerCase() : undefined;
  captions.push(standardName);
  if (added.length > 0) {
    captions.push(`${spoken}, ${added.slice(0, 1 + integerBelow(3, 'listed', identity)).join(', ')}`);
  }
  if (tags.length > 1) captions.push(tags.slice(0, 2).join(' '));
  if (tags.length > 4) captions.push(tags.slice(2, 5).join(' '));
  const style = styles[vendor];
  if (style) captions.push(`${spoken}, ${style}`);
  const template = templates[integerBelow(templates.length, 'template', identity)]!;
  captions.push(template.replace('X', template.startsWith('X') ? spoken : (article ?? spoken)));
  if (added.length > 1) captions.push(`${spoken}, ${added.at(-1)}`);
  return finish(captions);
}

/** Captions of a picture with a skin tone. All of them name the tone, since the others describe the yellow picture. */
function tonedCaptions(emoji: CaptionedEmoji, spoken: string, tone: string): (string | undefined)[] {
  const article = withArticle(spoken);
  const tags = addedTags(emoji, spoken);
  const gendered = genderedName(spoken);
  return [
    `${spoken}, ${tone} skin tone`,
    article && `${article} with ${tone} skin`,
    `${spoken} with ${tone} skin tone`,
    tone.includes(' ') ? undefined : `${tone}-skinned ${spoken}`,
    gendered && `${gendered} with ${tone} skin`,
    tags[0] && `${spoken}, ${tags[0]}, ${tone} skin`,
    tags[2] && `${tags[1]} ${tags[2]}, ${tone} skin tone`,
    `${spoken} ${tone} skin emoji`,
  ];
}

/** Returns `male pilot` for `man pilot`. */
function genderedName(spoken: string): string | undefined {
  const [, gender, role] = /^(man|woman) ((?:\w+ )?\w+)$/.exec(spoken) ?? [];
  if (!gender || !role || /ing\b|^(in|with|and)\b/.test(role)) return undefined;
  return `${gender === 'man' ? 'male' : 'female'} ${role}`;
}

function flagCaptions(spoken: string): (string | undefined)[] {
  const place = spoken.replace('flag of ', '');
  const simple = place
    .replace(/ & /g, ' and ')
    .replace(/^St\. /, 'Saint ')
    .replace(/ (SAR China|\(.*\))$/, '');
  const articled =
    /(Islands|States|Kingdom|Emirates|Netherlands|Philippines|Bahamas|Maldives|Republic|Territor.*|Union|Nations)$|^(Isle|Gambia)/;
  const nationality = nationalities[place];
  return [
    spoken,
    `${place} flag`,
    `the flag of ${articled.test(simple) ? 'the ' : ''}${simple}`,
    nationality && `${nationality} flag`,
    nationality && `the ${nationality} flag`,
    `${simple} flag`,
    simple,
    `national flag of ${simple}`,
    `${simple} flag emoji`,
  ];
}

/** Other names of the subject. */
function subjectCaptions({ base }: CaptionedEmoji, spoken: string, tags: readonly string[]): (string | undefined)[] {
  const captions: (string | undefined)[] = [...(paraphrases[base.label] ?? [])];
  const animal = base.group === groups.animals ? /^(.*) face$/.exec(spoken)?.[1] : undefined;
  if (animal) captions.push(animal, withArticle(animal), `head of ${withArticle(animal)}`);
  if (/o’clock$|-thirty$/.test(base.label)) captions.push(`clock showing ${spoken}`, `a clock at ${spoken}`);
  if (base.label.startsWith('kiss: ')) captions.push(`${spoken.slice('kiss, '.length)} kissing`);
  if (base.label.startsWith('couple with heart: '))
    captions.push(`${spoken.slice('couple with heart, '.length)} in love`);
  captions.push(genderedName(spoken));
  if (base.group === groups.smileys) {
    const subject = base.subgroup === subgroups.catFaces ? 'cat' : /\bface\b/.test(spoken) ? 'face' : undefined;
    const felt = tags.filter((tag) => feelings.has(tag)).slice(0, 3);
    if (subject) captions.push(...felt.map((feeling) => `${feeling} ${subject}`));
    if (subject === 'cat' && felt[0]) captions.push(withArticle(`${felt[0]} cat`));
    if (subject === 'face') captions.push(withArticle(spoken.replace(/\bface\b/, 'smiley')));
  }
  return captions;
}

/** Captions with a color: the one in the label, or else the dominant color of the picture. */
function colorCaptions({ base, color }: CaptionedEmoji, spoken: string): (string | undefined)[] {
  const named = colors.find((name) => spoken.startsWith(`${name} `));
  if (named) return withArticle(spoken) ? [`${spoken.slice(named.length + 1)} in ${named}`] : [];
  const things: readonly (number | undefined)[] = [
    groups.animals,
    groups.food,
    groups.travel,
    groups.activities,
    groups.objects,
  ];
  const colored = colors.some((name) => spoken.split(' ').includes(name));
  if (!color || colored || !things.includes(base.group) || /^[A-Z]|o’clock$|-thirty$/.test(spoken)) return [];
  const animal = /^(\w+) face$/.exec(spoken)?.[1];
  const short = animal ?? paraphrases[base.label]?.flatMap((phrase) => /^an? (\w+)$/.exec(phrase)?.[1] ?? [])[0];
  return [
    withArticle(spoken) ? withArticle(`${color} ${spoken}`) : `${color} ${spoken}`,
    short && `${color} ${short}`,
    short && withArticle(`${color} ${short}`),
  ];
}

/** Makes quotation marks plain, drops missing and repeated captions (ignoring case), and applies the limit. */
function finish(captions: readonly (string | undefined)[]): string[] {
  const unique = new Map<string, string>();
  for (const caption of captions) {
    const plain = caption?.replace(/[“”]/g, '"').replace(/’/g, "'");
    if (plain && !unique.has(plain.toLowerCase())) unique.set(plain.toLowerCase(), plain);
  }
  return [...unique.values()].slice(0, captionLimit);
}
