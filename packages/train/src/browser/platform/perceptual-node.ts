import { OptionError } from '@dalle-mini/core';

/** The weights of LPIPS are files of a package, which a browser does not have. */
export async function readPerceptualWeights(): Promise<never> {
  throw new OptionError('config.perceptual', 'left out in a browser, as discriminator must be', 'given');
}
