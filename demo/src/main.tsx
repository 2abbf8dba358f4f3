import { render } from 'preact';
import { source } from '#source';
import { App } from './app.js';
import './style.css';

if (source.place === 'browser' && import.meta.env.PROD) navigator.serviceWorker?.register('./service-worker.js');

render(<App source={source} />, document.getElementById('app')!);
