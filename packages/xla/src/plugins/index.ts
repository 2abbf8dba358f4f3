/** Finding and installing plugins of XLA. */
export { XlaError } from '../error.js';
export type { Device, PluginName } from './catalog.js';
export { findPlugins, type Plugin } from './find.js';
export { type InstallOptions, installPlugin, pluginLicense } from './install.js';
