/** Prepares a data set of Conceptual 12M's format: the list, the folder and the rows of a shard are its arguments. */
import { prepare } from '@dalle-mini/prepare';

const [list, out, shardSize] = process.argv.slice(2);
const download = { allowedAddresses: ['127.0.0.1/32'] };
await prepare({ preset: 'cc12m', lists: [list!], out: out!, shardSize: Number(shardSize), download });
