import { DalleMiniError } from '@dalle-mini/core';

/** The GPU was lost: its driver was restarted, it was removed, or the browser took it away. Nothing computes on it any more. */
export class DeviceLostError extends DalleMiniError {
  static override readonly code = 'DEVICE_LOST';
}
