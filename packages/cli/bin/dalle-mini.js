#!/usr/bin/env node
// Loading the rest takes a quarter of a second, so signals are handled first.
import '../dist/signal.js';

await import('../dist/main.js');
