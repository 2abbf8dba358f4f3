import { bundle } from '../../rolldown.config.mjs';

/** What encodes image files is a file of its own, so that the field `browser` of package.json can replace it in browsers. */
const library = bundle(['images/image-file', 'images/image-file-browser']);
library.preserveEntrySignatures = 'allow-extension';

export default library;
