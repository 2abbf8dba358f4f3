export function ErrorMessage({ message, onClose }: { message: string; onClose: () => void }) {
  return (
    <div class="error" role="alert">
      <p>{message}</p>
      <button type="button" class="quiet" onClick={onClose}>
        Close
      </button>
    </div>
  );
}
