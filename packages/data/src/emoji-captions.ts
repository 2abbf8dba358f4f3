import type { EmojiVariant, EmojiVendor } from './emoji-icons.js';
import { hash, integerBelow, shuffled } from './random.js';

/** The most captions that a picture gets. */
export const captionLimit = 12;

/** Tags that nobody would type to ask for a picture: chat abbreviations, slang, and numbers that stand for phrases. */
const unusableTags: ReadonlySet<string> = new Set(
  (
    '... 143 adorbs af afro aww awk babe bae bc bday bestest bet bff brb brr bro bruh bs btw bs cmon cya deg dope dua dunno dupe ' +
    'epic fail feels fleek fml fosho g2g geez gonna gotta gtg haha hahaha hehe hm hmm homie huh idk ily jeez jel jelly jk lewd lit ' +
    'lmao lol mhm mrs muah mwah mx nah nooo nope omg omw oops ooo pga pissed rofl roflmao s slay smh soz stan sucks tbt thx tmi tsk ' +
    'ttfn ttyl ugh uhh uh um usually wth wtf wtv xoxo yaas yay yikes yo yolo yup zap ass booze lust sexy stinks turd whatever what why not ' +
    'the this that just like here please literally seriously i’m oh ok okay ew eek uneven at as u oc'
  ).split(' '),
);

/** Feelings that a smiley or a cat can be asked for by: `<feeling> face`. */
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

/** Things that are not counted, so that `a` does not go before them; plurals are recognized by their ending. */
const uncounted: ReadonlySet<string> = new Set(
  (
    'coral bread bacon broccoli garlic popcorn butter salt sushi spaghetti candy custard sake ice wood fire rain fog water tennis ' +
    'baseball softball basketball volleyball bowling lacrosse badminton yarn thread dna soap chess milk food hay camping ' +
    'construction construction foggy mate cooking luggage wedding oden dango fondue falafel tamale corn rice e-mail mail shower ' +
    'bubbles hockey polo football art fencing landslide sunrise sunset dusk x-ray ZZZ rock collision tears'
  ).split(' '),
);

/** Words in `-s` that are one thing. */
const singularInS: ReadonlySet<string> = new Set(
  'bus trolleybus minibus compass dress cross lotus octopus cactus hibiscus abacus walrus stegosaurus glass campus lens rhinoceros'.split(
    ' ',
  ),
);

const colors = 'red orange yellow green blue purple brown black white grey pink'.split(' ');

/** Other words for an emoji, by its label: what people would type for this picture. */
const paraphrases: Readonly<Record<string, readonly string[]>> = {
  pizza: ['a slice of pizza', 'pizza slice with pepperoni'],
  rocket: ['rocket flying', 'a rocket flying into space', 'spaceship'],
  airplane: ['airplane flying', 'a plane in the sky', 'plane'],
  helicopter: ['helicopter flying', 'a flying helicopter'],
  'flying saucer': ['a ufo', 'ufo flying'],
  herb: ['green leaf', 'green leaves', 'a plant with green leaves'],
  'leaf fluttering in wind': ['green leaves', 'green leaf in the wind'],
  'maple leaf': ['red leaf', 'a red maple leaf'],
  'fallen leaf': ['brown leaf', 'autumn leaves'],
  shamrock: ['green clover', 'three leaf clover'],
  seedling: ['a small green plant', 'sprout'],
  'evergreen tree': ['a pine tree', 'green tree'],
  'deciduous tree': ['a green tree', 'a tree'],
  'palm tree': ['tropical tree'],
  hamburger: ['a burger', 'cheeseburger'],
  'french fries': ['a box of fries', 'fries'],
  doughnut: ['a donut', 'a pink donut with sprinkles'],
  'soft ice cream': ['ice cream cone'],
  'ice cream': ['a bowl of ice cream'],
  shortcake: ['a slice of cake', 'strawberry cake'],
  'birthday cake': ['a cake with candles'],
  'hot beverage': ['a cup of coffee', 'a cup of tea', 'coffee'],
  'beer mug': ['a glass of beer', 'beer'],
  'wine glass': ['a glass of red wine', 'wine'],
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
  eggplant: ['aubergine'],
  automobile: ['a red car', 'car'],
  'oncoming automobile': ['car from the front'],
  'sport utility vehicle': ['a blue car', 'suv'],
  'racing car': ['a race car', 'formula one car'],
  locomotive: ['a steam train', 'train engine'],
  bicycle: ['a bike'],
  motorcycle: ['a motorbike'],
  sailboat: ['a boat with a sail', 'boat on the water'],
  'delivery truck': ['a truck'],
  'articulated lorry': ['a big truck'],
  'fire engine': ['a fire truck', 'a red truck with a ladder'],
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
  fire: ['flame', 'burning flames'],
  'high voltage': ['lightning bolt', 'yellow lightning'],
  sun: ['a yellow sun', 'the sun'],
  'full moon': ['the moon'],
  'crescent moon': ['a moon at night'],
  star: ['a yellow star'],
  'globe showing Europe-Africa': ['planet earth', 'the earth', 'world'],
  'globe showing Americas': ['planet earth', 'the earth', 'world'],
  'globe showing Asia-Australia': ['planet earth', 'the earth', 'world'],
  'ringed planet': ['saturn', 'a planet with rings'],
  'mobile phone': ['a smartphone', 'cell phone'],
  laptop: ['a laptop computer', 'computer'],
  television: ['an old tv', 'tv'],
  'alarm clock': ['a red clock', 'a clock'],
  'wrapped gift': ['a present', 'gift box with ribbon'],
  'soccer ball': ['a football', 'black and white ball'],
  'heart with arrow': ['heart pierced by an arrow'],
  'red heart': ['a heart', 'love'],
  'pile of poo': ['poop', 'a smiling poop'],
  'jack-o-lantern': ['halloween pumpkin', 'a carved pumpkin'],
  'light bulb': ['a glowing lamp', 'lightbulb'],
  'video game': ['a game controller', 'gamepad'],
  joystick: ['an arcade joystick'],
  'guide dog': ['a dog with a harness'],
  'baby chick': ['a small yellow bird', 'chick'],
  'spouting whale': ['a whale spraying water', 'a blue whale'],
  honeybee: ['a bee', 'bee'],
  'lady beetle': ['a ladybug', 'a red bug with black dots'],
  bug: ['a caterpillar', 'green caterpillar'],
  turtle: ['a tortoise', 'green turtle'],
  'T-Rex': ['a tyrannosaurus', 'green dinosaur', 'dinosaur'],
  sauropod: ['a dinosaur with a long neck', 'dinosaur'],
  'paw prints': ['animal tracks'],
  bouquet: ['a bunch of flowers', 'flowers'],
  rose: ['a red rose', 'red flower'],
  sunflower: ['a yellow flower'],
  tulip: ['a pink tulip'],
  'cherry blossom': ['a pink flower'],
  blossom: ['a yellow flower'],
  mushroom: ['a red mushroom with white spots', 'toadstool'],
  'gem stone': ['a diamond', 'blue diamond'],
  'money bag': ['a bag of money'],
  'crossed swords': ['two swords'],
  dagger: ['a sword', 'a knife'],
  'bow and arrow': ['archery bow'],
  necktie: ['shirt and tie'],
  't-shirt': ['a blue shirt'],
  jeans: ['blue pants'],
  'graduation cap': ['a black square hat'],
  'top hat': ['a black hat'],
  'high-heeled shoe': ['a red shoe', 'high heels'],
  'running shoe': ['a sneaker', 'sports shoe'],
  umbrella: ['an open umbrella'],
  'umbrella with rain drops': ['umbrella in the rain'],
  snowman: ['a snowman in the snow'],
  'magnifying glass tilted left': ['a magnifying glass'],
  'magnifying glass tilted right': ['a magnifying glass'],
  'floppy disk': ['a diskette'],
  locked: ['a padlock', 'closed lock'],
  unlocked: ['an open padlock'],
  key: ['a golden key'],
  'artist palette': ['paint palette with colors'],
  'musical keyboard': ['piano keys', 'piano'],
  'thumbs up': ['thumb up'],
  'waving hand': ['a hand waving'],
  'folded hands': ['praying hands'],
  'flexed biceps': ['a strong arm', 'muscle'],
  'victory hand': ['peace sign'],
  'skull and crossbones': ['pirate skull'],
};

/** Words that the picture of one set can be asked for by. */
const styles: Partial<Record<EmojiVendor, string>> = {
  'fluent-emoji': '3d style',
  'fluent-emoji-flat': 'flat style',
  twemoji: 'flat style',
};

const group = {
  smileys: 0,
  people: 1,
  animals: 3,
  food: 4,
  travel: 5,
  activities: 6,
  objects: 7,
  symbols: 8,
  flags: 9,
};
const subgroup = { catFaces: 12, countryFlags: 98, subdivisionFlags: 99, clocks: 58 };
const toneNames = ['', 'light', 'medium-light', 'medium', 'medium-dark', 'dark'];

/** Whether a word begins with a vowel sound, as far as emoji labels go. */
function beginsWithVowelSound(phrase: string): boolean {
  if (/^(uni|euro|one|ute|ufo)/i.test(phrase)) return false;
  return /^([aeiou]|hour|honest|x-|[FHLMNRSX]\b)/i.test(phrase) && !/^[A-Z]{2}/.test(phrase);
}

/** `a` or `an` before a phrase that names one thing; `undefined` where neither would be grammatical. */
function withArticle(phrase: string): string | undefined {
  const head = phrase.split(
    / (?:with|of|without|in|on|over|behind|showing|at|holding|from|blowing|savoring|exhaling) /,
  )[0]!;
  const noun = head.split(' ').at(-1)!;
  const plural = /s$/.test(noun) && !/ss$/.test(noun) && !singularInS.has(noun);
  if (plural || /^[A-Z0-9]/.test(phrase) || /^(two|three|the|a|an|no|not|mount|people|men|women)\b/.test(phrase))
    return undefined;
  if (uncounted.has(noun) || /ed$|o’clock$|thirty$|^(rolling|cooking|playing)\b/.test(head)) return undefined;
  if (/^(shirt|teeth|feet|fries)$/.test(noun)) return undefined;
  return `${beginsWithVowelSound(phrase) ? 'an' : 'a'} ${phrase}`;
}

/** The label as one would say it: `flag of Japan`, `man with red hair`, `kissing couple, woman and man`. */
function spokenLabel({ base }: EmojiVariant): string {
  const label = base.label.replace(/[“”]/g, '"').replace(/ \(blood type\)$/, '');
  const [head, detail] = label.split(': ') as [string, string | undefined];
  if (detail === undefined) return label;
  if (head === 'flag') return `flag of ${detail}`;
  if (head === 'keycap') return `keycap ${detail}`;
  if (head === 'kiss' || head === 'couple with heart' || head === 'family') {
    const members = detail.split(', ');
    return `${head} with ${members.slice(0, -1).join(', ')}${members.length > 1 ? ' and ' : ''}${members.at(-1)}`;
  }
  if (detail === 'facing right') return `${head} facing right`;
  if (detail === 'bald') return `bald ${head}`;
  if (detail === 'beard') return `${head} with a beard`;
  return `${head} with ${detail}`;
}

/** Skin tones in words: `dark`, or `light and dark` for two people. */
function toneWords(tone: number | readonly number[]): string {
  return [...new Set([tone].flat())].map((index) => toneNames[index]!).join(' and ');
}

/** The tags that add something to the label and that someone might type. */
function usableTags({ base }: EmojiVariant, spoken: string): string[] {
  const said = new Set(spoken.toLowerCase().split(/[ ,]+/));
  return (base.tags ?? []).filter(
    (tag) => /^[a-z][a-z’ -]+$/.test(tag) && tag.length > 1 && !unusableTags.has(tag) && !said.has(tag),
  );
}

/** Whether a Unicode name says what the picture shows: not how a typographer would fill it. */
function describes(unicodeName: string): boolean {
  return !/\b(BLACK|WHITE|HEAVY|MARK|SIGN|SYMBOL|SELECTOR|MODIFIER|LATIN|SQUARED|CIRCLED|IDEOGRAPH|JOINER|EMOJI|COMPONENT)\b/.test(
    unicodeName,
  );
}

/**
 * Captions of one picture, at most {@link captionLimit}, each different, the plain label first.
 * Which tags are combined differs from set to set and from tone to tone, so that together the pictures of one emoji
 * see most of its words. The same emoji, set and name give the same captions always.
 *
 * @param unicodeName The emoji's name in the Unicode standard, upper case.
 */
export function emojiCaptions(emoji: EmojiVariant, vendor: EmojiVendor, unicodeName?: string): string[] {
  const { base, variant } = emoji;
  const spoken = spokenLabel(emoji);
  const identity = `${vendor}/${variant.hexcode}`;
  const tags = shuffled(usableTags(emoji, spoken), 'tags', identity);
  const article = withArticle(spoken);
  const candidates: (string | undefined)[] = [];

  if (variant.tone !== undefined) {
    // A toned picture is asked for by its tone: plain words mean the plain, yellow picture.
    const tone = toneWords(variant.tone);
    const single = !tone.includes(' ');
    candidates.push(
      `${spoken}, ${tone} skin tone`,
      article && `${article} with ${tone} skin`,
      `${spoken} with ${tone} skin tone`,
      single ? `${tone}-skinned ${spoken}` : undefined,
      tags.length > 0 ? `${spoken}, ${tags[0]}, ${tone} skin` : undefined,
      tags.length > 2 ? `${tags[1]} ${tags[2]}, ${tone} skin tone` : undefined,
      base.group === group.people && tags.length > 0 ? `${tags[0]} with ${tone} skin` : undefined,
      `${spoken} ${tone} skin emoji`,
    );
    return finish(candidates);
  }

  candidates.push(spoken, article);
  if (base.subgroup === subgroup.countryFlags || base.subgroup === subgroup.subdivisionFlags) {
    const place = spoken.replace('flag of ', '');
    const plainPlace = place
      .replace(/ & /g, ' and ')
      .replace(/^St\. /, 'Saint ')
      .replace(/ \(.*\)$/, '');
    candidates.push(
      `${place} flag`,
      `the flag of ${plainPlace}`,
      `flag of ${plainPlace}`,
      `${plainPlace} flag`,
      `national flag of ${plainPlace}`,
      plainPlace,
      `${plainPlace} flag emoji`,
    );
    return finish(candidates);
  }

  const said = paraphrases[base.label] ?? [];
  candidates.push(...said);
  const animal = /^(.*) face$/.exec(base.group === group.animals ? spoken : '')?.[1];
  if (animal) candidates.push(animal, withArticle(animal), `head of ${withArticle(animal)}`);
  if (base.subgroup === subgroup.clocks && /o’clock|thirty/.test(base.label)) {
    candidates.push(`clock showing ${spoken}`, `clock at ${spoken}`);
  }
  if (base.group === group.smileys) {
    const subject = base.subgroup === subgroup.catFaces ? 'cat' : /\bface\b/.test(spoken) ? 'face' : undefined;
    const felt = tags.filter((tag) => feelings.has(tag)).slice(0, 3);
    if (subject) candidates.push(...felt.map((feeling) => `${feeling} ${subject}`));
    if (subject && felt[0]) candidates.push(withArticle(`${felt[0]} ${subject === 'cat' ? 'cat' : 'smiley'}`));
  }
  const standardName = unicodeName?.toLowerCase();
  if (unicodeName && standardName && describes(unicodeName) && standardName !== spoken) candidates.push(standardName);
  const color = colors.find((name) => spoken.startsWith(`${name} `));
  if (color && article) candidates.push(`${spoken.slice(color.length + 1)} in ${color}`);

  const listed = 1 + integerBelow(3, 'listed', identity);
  if (tags.length > 0) {
    candidates.push(`${spoken}, ${tags.slice(0, listed).join(', ')}`);
    candidates.push(`${spoken}, ${tags.slice(-1).join(', ')}`);
  }
  if (tags.length > 1) candidates.push(tags.slice(0, 2).join(' '));
  if (tags.length > 3) candidates.push(tags.slice(1, 4).join(' '));
  const style = styles[vendor];
  if (style) candidates.push(`${spoken}, ${style}`);
  const templates = [
    'a picture of X',
    'a drawing of X',
    'an emoji of X',
    'an icon of X',
    'X emoji',
    'X on a white background',
  ];
  const template = templates[hash('template', identity) % templates.length]!;
  candidates.push(template.replace('X', template.startsWith('X') ? spoken : (article ?? spoken)));
  return finish(candidates);
}

/** Drops what is missing, empty or said twice, and what is beyond the limit. */
function finish(candidates: readonly (string | undefined)[]): string[] {
  return [...new Set(candidates.filter((caption) => caption !== undefined && caption !== ''))].slice(
    0,
    captionLimit,
  ) as string[];
}
