import { useEffect, useRef, useState } from 'preact/hooks';
import { download, fileName } from '../images.js';
import type { Picture } from '../model/model.js';
import { type Request, toFragment } from '../request.js';

interface PictureDialogProps {
  readonly picture: Picture;
  readonly request: Request;
  readonly onClose: () => void;
  readonly onTokens: () => void;
}

export function PictureDialog({ picture, request, onClose, onTokens }: PictureDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [link, setLink] = useState<string>();
  const [isCopied, setIsCopied] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);
  const share = async () => {
    const { origin, pathname } = location;
    const address = `${origin}${pathname}${toFragment(request, picture.index)}`;
    setLink(address);
    setIsCopied(
      await navigator.clipboard.writeText(address).then(
        () => true,
        () => false,
      ),
    );
  };
  const { prompt, seed } = request;
  return (
    <dialog ref={dialog} class="picture" aria-labelledby="picture-title" onClose={onClose}>
      <img src={picture.url} alt={prompt} />
      <div>
        <h2 id="picture-title">{prompt}</h2>
        <p>
          Picture {picture.index + 1} of seed {seed}
          {picture.score !== undefined && `, CLIP’s score ${picture.score.toFixed(2)}`}
        </p>
        <div class="actions">
          <button type="button" onClick={() => download(picture.url, fileName(prompt, seed, picture.index))}>
            Download
          </button>
          <button type="button" onClick={share}>
            Copy link
          </button>
          <button type="button" onClick={onTokens}>
            Look at its tokens
          </button>
          <button type="button" class="quiet" onClick={onClose}>
            Close
          </button>
        </div>
        <p role="status">
          {link && (isCopied ? 'The link is copied. It draws this picture again.' : 'Copy this link:')}
        </p>
        {link && (
          <input
            type="text"
            readOnly
            aria-label="Link"
            value={link}
            onFocus={({ currentTarget }) => currentTarget.select()}
          />
        )}
      </div>
    </dialog>
  );
}
