/* python.exe: runs the CPython whose DLL was named when this was compiled. Its path is whole, so that a copy in a virtual
 * environment finds the DLL too. */
#include <windows.h>

typedef int (*py_main_fn)(int argc, wchar_t **argv);

enum { NO_LIBRARY = 121, NO_MAIN = 122 };

int wmain(int argc, wchar_t **argv) {
    HMODULE library = LoadLibraryExW(PYTHON_LIBRARY, NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
    if (library == NULL) {
        return NO_LIBRARY;
    }
    py_main_fn py_main = (py_main_fn)(void *)GetProcAddress(library, "Py_Main");
    return py_main == NULL ? NO_MAIN : py_main(argc, argv);
}
