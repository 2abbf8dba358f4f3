// As on Alpine Linux.
process.dlopen = (_, path) => {
  throw new Error(`Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by ${path})`);
};
