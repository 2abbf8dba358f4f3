import { bundle } from '../../rolldown.config.mjs';

export default bundle(['runtimes/onnxruntime-worker']);
