#!/usr/bin/env node
// Handles signals before the rest is loaded, which takes a quarter of a second.
import '../dist/signal.js';

await import('../dist/main.js');
