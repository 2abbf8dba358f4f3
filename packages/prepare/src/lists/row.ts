/** A value of a list's column that is kept. */
export type ColumnValue = string | number | boolean | null;

/** A row of a list: an image to download, and its caption. */
export interface Row {
  readonly url: string;
  readonly caption: string;
  /** Other columns that are kept, by name. */
  readonly columns: Readonly<Record<string, ColumnValue>>;
}

/** Why a row cannot be used. */
export type RowProblem =
  | 'fields'
  | 'json'
  | 'url'
  | 'caption-missing'
  | 'caption-too-short'
  | 'caption-too-long'
  | 'caption-refused'
  | 'caption-language'
  | 'metadata-missing';

/** A row that cannot be used. */
export interface BadRow {
  readonly problem: RowProblem;
  /** What is wrong, with what was found. */
  readonly message: string;
}

/** A row of a file as it is read: the values of the asked columns, in their order, or why it cannot be read. */
export interface RawRow {
  /** The number of the line or row in its file, from 1. */
  readonly number: number;
  readonly values: readonly unknown[] | BadRow;
}

export function isBadRow(value: object): value is BadRow {
  return 'problem' in value;
}
